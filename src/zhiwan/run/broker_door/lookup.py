"""What the registry knows of devices, as fast as thousands of logins at once need it.

Lookups that arrive together become one query; an answer is remembered for some seconds, and forgotten the moment the
database tells that the device changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from zhiwan.run.broker_door.decide import DEVICE_ID, KnownDevice

Pool = AsyncConnectionPool[AsyncConnection]
FRESH_SECONDS = 5.0  # should a notice of the database be lost
GATHER_SECONDS = 0.003  # knocks that come together are looked up together
MOST_REMEMBERED = 50_000
FIND = "SELECT id, secret_hash, enabled, old_hash, old_until, cut_at FROM registry_device WHERE id = ANY(%s)"


class Devices(Protocol):
    """Where known devices come from."""

    async def find(self, ids: Sequence[str]) -> dict[str, KnownDevice]:
        """The known ones among these ids."""
        ...


class RegisteredDevices:
    """Devices of the registry, read with the district's role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, ids: Sequence[str]) -> dict[str, KnownDevice]:
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('zhiwan.space', '*', true)")  # devices of every space
            rows = await (await connection.execute(FIND, [list(ids)])).fetchall()
        return {
            str(id): KnownDevice(bytes(digest), bool(enabled), bytes(old) if old else None, until, cut)
            for id, digest, enabled, old, until, cut in rows
        }


class Lookup:
    """Gathers and remembers."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._known: dict[str, tuple[float, KnownDevice | None]] = {}
        self._asked: dict[str, asyncio.Future[KnownDevice | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changes = 0

    def forget(self, ids: Iterable[str]) -> None:
        """They changed. Nothing that a query under way brings of them is remembered either."""
        self._changes += 1
        for id in ids:
            self._known.pop(id, None)

    def forget_all(self) -> None:
        """Notices may have been lost."""
        self._changes += 1
        self._known.clear()

    async def get(self, device: str) -> KnownDevice | None:
        if not DEVICE_ID.fullmatch(device):
            return None
        held = self._known.get(device)
        if held and time.monotonic() - held[0] < FRESH_SECONDS:
            return held[1]
        if device not in self._asked:
            if not self._asked:
                task = asyncio.create_task(self._resolve())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            self._asked[device] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._asked[device])

    async def _resolve(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        asked, self._asked = self._asked, {}
        changes = self._changes
        try:
            found = await self._devices.find(list(asked))
        except Exception as problem:
            for future in asked.values():
                if not future.done():
                    future.set_exception(problem)
            return
        now = time.monotonic()
        if len(self._known) > MOST_REMEMBERED:
            self._known = {name: held for name, held in self._known.items() if now - held[0] < FRESH_SECONDS}
        for device, future in asked.items():
            if changes == self._changes:
                self._known[device] = (now, found.get(device))
            if not future.done():
                future.set_result(found.get(device))
