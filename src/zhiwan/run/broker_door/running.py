"""The running door: one asyncio process between NATS, which asks, and PostgreSQL, which knows the devices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from zhiwan.run.broker_door.best_effort import BestEffort
from zhiwan.run.broker_door.decide import DEVICE_ID, KnownDevice, permissions, refusal
from zhiwan.run.broker_door.refusals import BrokerLog, Refusals
from zhiwan.run.broker_door.tokens import Issuer, Request, read_request

log = logging.getLogger(__name__)

ASKED = "$SYS.REQ.USER.AUTH"
FRESH_SECONDS = 5.0  # a changed secret or a disabled device counts after so long
GATHER_SECONDS = 0.003  # knocks that come together are looked up together
FLUSH_SECONDS = 1.0
SIGN_OF_LIFE = """
INSERT INTO watch_heartbeat (process, at, body) VALUES ('door', now(), '{}')
ON CONFLICT (process) DO UPDATE SET at = excluded.at
"""


class Devices(Protocol):
    """Where known devices come from."""

    async def find(self, ids: Sequence[str]) -> dict[str, KnownDevice]:
        """The known ones among these ids."""
        ...


class RegisteredDevices:
    """Devices of the registry, read with the district's role."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def find(self, ids: Sequence[str]) -> dict[str, KnownDevice]:
        query = "SELECT id, secret_hash, enabled FROM registry_device WHERE id = ANY(%s)"
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('zhiwan.space', '*', true)")  # devices of every space
            rows = await (await connection.execute(query, [list(ids)])).fetchall()
        return {str(device): KnownDevice(bytes(digest), bool(enabled)) for device, digest, enabled in rows}


class Lookup:
    """Gathers lookups that arrive together into one query, and remembers answers for a few seconds."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._known: dict[str, tuple[float, KnownDevice | None]] = {}
        self._asked: dict[str, asyncio.Future[KnownDevice | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

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
        try:
            found = await self._devices.find(list(asked))
        except Exception as problem:
            for future in asked.values():
                if not future.done():
                    future.set_exception(problem)
            return
        now = time.monotonic()
        if len(self._known) > 50_000:
            self._known = {name: held for name, held in self._known.items() if now - held[0] < FRESH_SECONDS}
        for device, future in asked.items():
            self._known[device] = (now, found.get(device))
            if not future.done():
                future.set_result(found.get(device))


class Door:
    """Answers the broker's questions."""

    def __init__(self, issuer: Issuer, devices: Devices, refusals: Refusals) -> None:
        self._issuer = issuer
        self._lookup = Lookup(devices)
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
        code = refusal(request.knock, known)
        if code:
            self._refusals.add(code, request.knock.user)
            return self._issuer.refuse(request, code)
        return self._issuer.admit(request, request.knock.user, permissions(request.knock.user))


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


async def connect(url: str, file: Path, name: str) -> Client:
    """A connection that comes back by itself, as the user of a credentials file."""
    login = json.loads(file.read_text())
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
    broker = BrokerLog(setting.broker_log) if setting.broker_log else None
    async with open_pool(setting.database) as pool:
        platform = await connect(setting.bus, setting.platform_file, "best-effort")
        best_effort = BestEffort(platform, setting.bus, setting.platform_file, refusals)
        await best_effort.listen()
        client = await connect(setting.bus, setting.door_file, "door")
        issuer = Issuer(signing["issuer"], signing["account"])
        await Door(issuer, RegisteredDevices(pool), refusals).listen(client)
        log.warning("the door is open")
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FLUSH_SECONDS)
            for code, device in broker.new_refusals() if broker else ():
                refusals.add(code, device)
            await refusals.flush(pool)
            await _tell(pool, listening=client.is_connected)
        best_effort.stop()
        await client.close()
        await platform.close()


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
