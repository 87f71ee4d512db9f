"""The running door: one asyncio process between NATS, which asks, and PostgreSQL, which knows the devices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from zhiwan.run.broker_door.best_effort import BestEffort
from zhiwan.run.broker_door.broker import Broker
from zhiwan.run.broker_door.commands import Commands
from zhiwan.run.broker_door.cutting import Cutter
from zhiwan.run.broker_door.decide import judge, permissions
from zhiwan.run.broker_door.lookup import Lookup, RegisteredDevices
from zhiwan.run.broker_door.notices import CHANGED, hear
from zhiwan.run.broker_door.refusals import BrokerLog, Refusals
from zhiwan.run.broker_door.tokens import Issuer, Request, read_request

log = logging.getLogger(__name__)

ASKED = "$SYS.REQ.USER.AUTH"
FLUSH_SECONDS = 1.0
SIGN_OF_LIFE = """
INSERT INTO watch_heartbeat (process, at, body) VALUES ('door', now(), '{}')
ON CONFLICT (process) DO UPDATE SET at = excluded.at
"""


class Door:
    """Answers the broker's questions."""

    def __init__(self, issuer: Issuer, lookup: Lookup, refusals: Refusals) -> None:
        self._issuer = issuer
        self._lookup = lookup
        self._refusals = refusals
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, client: Client) -> None:
        """From now on answer. Doors may run side by side: the queue group gives each question to one."""
        await client.subscribe(ASKED, queue="door", cb=self._take, pending_msgs_limit=-1)
        await client.flush()

    async def _take(self, message: Msg) -> None:
        # A task per question: a slow lookup must not hold up the others.
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Msg) -> None:
        try:
            request = read_request(message.data)
        except (ValueError, KeyError, TypeError) as problem:
            log.error("unreadable question of the broker: %s", problem)
            return
        await message.respond(await self._decide(request))

    async def _decide(self, request: Request) -> bytes:
        try:
            known = await self._lookup.get(request.knock.user)
        except Exception as problem:
            # Closed, not open, while the registry does not answer; devices try again by themselves.
            log.warning("registry does not answer: %s", problem)
            self._refusals.add("REGISTRY_UNAVAILABLE", request.knock.user)
            return self._issuer.refuse(request, "REGISTRY_UNAVAILABLE")
        answer = judge(request.knock, known, datetime.now(UTC))
        if answer.code:
            self._refusals.add(answer.code, request.knock.user)
            return self._issuer.refuse(request, answer.code)
        return self._issuer.admit(request, request.knock.user, permissions(request.knock.user), answer.until)


async def _act_for_district(connection: AsyncConnection) -> None:
    await connection.execute("SET ROLE zhiwan_district")
    await connection.execute("SET zhiwan.space = 'live'")  # where what is refused is counted
    await connection.commit()


def open_pool(url: str) -> AsyncConnectionPool[AsyncConnection]:
    """Connections of the login role that act as the district."""
    return AsyncConnectionPool(url, min_size=1, max_size=4, open=False, configure=_act_for_district, timeout=5)


@dataclass(frozen=True)
class Setting:
    """Where the door finds what it needs; see `from_environment`."""

    database: str
    bus: str
    door_file: Path
    platform_file: Path
    broker_log: Path | None

    @classmethod
    def from_environment(cls) -> Setting:
        data = Path(os.environ["ZHIWAN_DATA"])
        broker_log = Path(os.environ.get("ZHIWAN_NATS_LOG") or data / "logs" / "nats.log")
        return cls(
            database=os.environ["ZHIWAN_DATABASE_URL"],
            bus=os.environ["ZHIWAN_NATS_URL"],
            door_file=Path(os.environ.get("ZHIWAN_DOOR_FILE") or data / "secrets" / "nats-door.json"),
            platform_file=Path(os.environ["ZHIWAN_NATS_CREDENTIALS_FILE"]),
            broker_log=broker_log if broker_log.exists() else None,
        )


async def connect(url: str, login: Mapping[str, str], name: str) -> Client:
    """A connection that comes back by itself."""
    return await nats.connect(
        url,
        user=login["user"],
        password=login["password"],
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,
        error_cb=_note,
    )


async def _note(problem: Exception) -> None:
    log.warning("bus: %s", problem)


async def serve(setting: Setting, stop: asyncio.Event) -> None:
    """Run until `stop` is set."""
    signing = json.loads(setting.door_file.read_text())
    refusals = Refusals()
    broker_log = BrokerLog(setting.broker_log) if setting.broker_log else None
    async with open_pool(setting.database) as pool:
        platform = await connect(setting.bus, json.loads(setting.platform_file.read_text()), "best-effort")
        best_effort = BestEffort(platform, setting.bus, setting.platform_file, refusals)
        await best_effort.listen()
        client = await connect(setting.bus, signing, "door")
        system = await connect(setting.bus, signing["system"], "door-system")
        devices = RegisteredDevices(pool)
        lookup = Lookup(devices)
        broker = Broker(system, signing["account"])
        cutter = Cutter(broker, devices, lookup, pool)
        commands = Commands(broker, platform, pool, refusals)

        def noticed(channel: str, payload: str) -> None:
            if channel == CHANGED:
                cutter.changed(payload)
            else:
                commands.wake.set()

        await broker.watch(cutter.heard)
        parts = [
            asyncio.create_task(part)
            for part in (
                hear(setting.database, noticed, cutter.look_at_all, stop),
                cutter.run(stop),
                commands.run(stop),
                commands.read_answers(stop),
            )
        ]
        await Door(Issuer(signing["issuer"], signing["account"]), lookup, refusals).listen(client)
        log.warning("the door is open")
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FLUSH_SECONDS)
            for code, device in broker_log.new_refusals() if broker_log else ():
                refusals.add(code, device)
            await refusals.flush(pool)
            await cutter.flush()
            # Without its parts nobody would be cut: then it is not well, and the supervisor sees the silence.
            await _tell(pool, listening=client.is_connected and not any(part.done() for part in parts))
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        best_effort.stop()
        for one in (client, system, platform):
            await one.close()


async def _tell(pool: AsyncConnectionPool[AsyncConnection], *, listening: bool) -> None:
    """A sign of life for /healthz; without the bus nobody can be let in, so then there is none."""
    if not listening:
        return
    try:
        async with pool.connection() as connection:
            await connection.execute(SIGN_OF_LIFE)
    except Exception as problem:
        log.warning("no sign of life written: %s", problem)


async def _run() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(Setting.from_environment(), stop)


def main() -> None:
    """`zhiwan door`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_run())
