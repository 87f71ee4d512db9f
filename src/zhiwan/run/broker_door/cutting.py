"""Cuts the connections of devices that may not be in any more, and keeps who is connected in the registry.

A notice of the database starts it; at its start, and after a line was down, all connections are looked at once. So a
door that was away misses nothing: what counts is what the registry says and when a connection began.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from nats.errors import Error as NatsError

from zhiwan.run.broker_door.broker import Broker, Connection
from zhiwan.run.broker_door.decide import KnownDevice
from zhiwan.run.broker_door.lookup import Devices, Lookup, Pool

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
#: A login that was being answered when the device changed is a connection a moment later.
AGAIN_SECONDS = 1.5
#: Clocks of one machine agree; those of a broker elsewhere nearly.
MARGIN = timedelta(seconds=1)
#: A cut that is younger is that of the notice at hand: what connected before the notice came in with the old secret.
RECENT = timedelta(minutes=1)
#: More devices than that are found faster in the list of all connections.
ONE_BY_ONE = 20
CHUNK = 1000

CAME = """
INSERT INTO registry_deviceconnection AS c (device_id, server, cid, since, until) VALUES (%s, %s, %s, %s, NULL)
ON CONFLICT (device_id) DO UPDATE
SET server = excluded.server, cid = excluded.cid, since = excluded.since, until = NULL WHERE c.since <= excluded.since
"""
WENT = "UPDATE registry_deviceconnection SET until = %s WHERE device_id = %s AND server = %s AND cid = %s"
ENDED = "SELECT id FROM registry_device WHERE old_until > %s AND old_until <= %s"
GONE = (
    "UPDATE registry_deviceconnection SET until = %(at)s"
    " WHERE until IS NULL AND since < %(at)s AND NOT device_id = ANY(%(live)s)"
)


def must_go(connection: Connection, known: KnownDevice | None, heard: datetime) -> bool:
    """Whether a connection may not go on, given what the registry says now and when its change was heard."""
    if known is None or not known.enabled:
        return True
    # Who came in before an overlap ended may have done so with the old secret; one reconnection tells.
    if known.old_until is not None and connection.since < known.old_until <= datetime.now(UTC):
        return True
    if known.cut_at is None:
        return False
    recent = known.cut_at > heard - RECENT
    return connection.since < (heard if recent else known.cut_at + MARGIN)


class Cutter:
    """Takes notices and events as they come; run() does what they ask for."""

    def __init__(self, broker: Broker, devices: Devices, lookup: Lookup, pool: Pool) -> None:
        self._broker, self._devices, self._lookup, self._pool = broker, devices, lookup, pool
        self._changed: dict[str, datetime] = {}
        self._all = False
        self._looked = datetime.now(UTC)
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[int]] = set()
        self._events: list[tuple[bool, Connection, datetime]] = []

    def changed(self, device: str) -> None:
        """The database tells: this device is another one now."""
        self._lookup.forget([device])
        self._changed[device] = datetime.now(UTC)
        self._wake.set()

    async def look_at_all(self) -> None:
        """Something may have been missed."""
        self._lookup.forget_all()
        self._all = True
        self._wake.set()

    def heard(self, comes: bool, connection: Connection) -> None:
        """The broker tells: a device came or went."""
        self._events.append((comes, connection, datetime.now(UTC)))

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. A failure is tried again; the devices wait in the meantime, refused at the door already."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)
            await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            changed, self._changed = self._changed, {}
            everything, self._all = self._all, False
            try:
                for device in await self._overlaps_ended():
                    changed.setdefault(device, datetime.now(UTC))
                if everything:
                    await self._compare_all()
                await self._cut(changed)
            except (NatsError, TimeoutError, OSError) as problem:
                log.warning("connections are not cut yet: %s", problem)
                self._put_back(changed, everything)
            except Exception:
                log.exception("connections are not cut yet")
                self._put_back(changed, everything)

    async def _overlaps_ended(self) -> list[str]:
        """Devices whose old secret ended since the last look; those before our start are found by looking at all."""
        now = datetime.now(UTC)
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('zhiwan.space', '*', true)")
            rows = await (await connection.execute(ENDED, [self._looked, now])).fetchall()
        self._looked = now
        return [str(row[0]) for row in rows]

    def _put_back(self, changed: dict[str, datetime], everything: bool) -> None:
        self._changed = {**changed, **self._changed}
        self._all = self._all or everything

    async def _cut(self, changed: dict[str, datetime]) -> None:
        if not changed:
            return
        cut = await self._pass(changed)
        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._again, changed)
        if cut:
            log.warning("cut the connections of %d devices", cut)

    def _again(self, changed: dict[str, datetime]) -> None:
        def done(task: asyncio.Task[int]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (problem := task.exception()) is not None:
                log.warning("connections are looked at again: %s", problem)
                self._put_back(changed, everything=False)

        task = asyncio.get_running_loop().create_task(self._pass(changed))
        self._tasks.add(task)
        task.add_done_callback(done)

    async def _pass(self, changed: dict[str, datetime]) -> int:
        known = await self._find(changed)
        suspects = {
            device
            for device in changed
            if (one := known.get(device)) is None
            or not one.enabled
            or one.cut_at is not None
            or one.old_until is not None
        }
        if len(suspects) > ONE_BY_ONE:
            live = [one for one in await self._broker.connections() if one.device in suspects]
        else:
            live = [one for device in sorted(suspects) for one in await self._broker.connections_of(device)]
        return await self._end(one for one in live if must_go(one, known.get(one.device), changed[one.device]))

    async def _compare_all(self) -> None:
        began = datetime.now(UTC)
        live = await self._broker.connections()
        known = await self._find({one.device for one in live})
        # Not "recent": a connection that came after the cut is one with the new secret.
        late = began + RECENT + MARGIN
        await self._end(one for one in live if must_go(one, known.get(one.device), late))
        async with self._pool.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany(CAME, [(one.device, one.server, one.cid, one.since) for one in live])
            await cursor.execute(GONE, {"at": began, "live": [one.device for one in live]})

    async def _find(self, ids: Iterable[str]) -> dict[str, KnownDevice]:
        wanted = sorted(ids)
        found: dict[str, KnownDevice] = {}
        for start in range(0, len(wanted), CHUNK):
            found |= await self._devices.find(wanted[start : start + CHUNK])
        return found

    async def _end(self, connections: Iterable[Connection]) -> int:
        ended = list(connections)
        await asyncio.gather(*(self._broker.cut(one) for one in ended))
        return len(ended)

    async def flush(self) -> None:
        """Write who came and went, in order; on failure they stay for the next time."""
        if not self._events:
            return
        events, self._events = self._events, []
        try:
            async with self._pool.connection() as connection, connection.cursor() as cursor:
                for comes, chunk in _runs(events):
                    if comes:
                        await cursor.executemany(CAME, [(c.device, c.server, c.cid, c.since) for c, _ in chunk])
                    else:
                        await cursor.executemany(WENT, [(at, c.device, c.server, c.cid) for c, at in chunk])
        except Exception as problem:
            log.warning("who is connected is not written yet: %s", problem)
            self._events = events + self._events


def _runs(
    events: list[tuple[bool, Connection, datetime]],
) -> Iterable[tuple[bool, list[tuple[Connection, datetime]]]]:
    """Events of one kind in a row together: one round to the database for each run."""
    run: list[tuple[Connection, datetime]] = []
    kind = True
    for comes, connection, at in events:
        if run and comes is not kind:
            yield kind, run
            run = []
        kind = comes
        run.append((connection, at))
    if run:
        yield kind, run
