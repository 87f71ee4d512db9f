"""The running gateway: listens, gives each peer a Connection, writes the ledger and a sign of life, ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import close_old_connections, connections

from zhiwan.city.packs_loaded import packs, region, the_bus
from zhiwan.city.watch.door_book import write_door_book
from zhiwan.city.watch.heartbeat import beat
from zhiwan.kernel.sense import Intake, SetAside
from zhiwan.kernel.sense.hj212_rows import FactorTables
from zhiwan.run.hj212_gateway.connection import Connection, Door
from zhiwan.run.hj212_gateway.ledger import Ledger
from zhiwan.run.hj212_gateway.registered import Registered, find_device

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

DOOR = "hj212"
SUBJECT = "intake.hj212"
MOST_CONNECTIONS = 2000
FLUSH_SECONDS = 1.0
BEAT_EVERY = 5  # flushes
ENDING_SECONDS = 5.0


class Gateway:
    """All connections of this process."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._open: set[asyncio.Task[None]] = set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one peer; asyncio calls this in a task of its own."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (we run in one)
        try:
            if len(self._open) >= MOST_CONNECTIONS:
                self._door.ledger.count("TOO_MANY_CONNECTIONS")
                return
            self._open.add(task)
            _keep_alive(writer)
            await Connection(self._door, reader, writer).run()
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    @property
    def connections(self) -> int:
        """How many peers are connected."""
        return len(self._open)

    async def end(self) -> None:
        """Let frames under way be finished; then leave."""
        if not self._open:
            return
        _, unfinished = await asyncio.wait(self._open, timeout=0.2)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=ENDING_SECONDS)


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """A peer whose line was cut says nothing; the kernel finds out."""
    line = writer.get_extra_info("socket")
    if line is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


async def serve(host: str, port: int, stop: asyncio.Event) -> None:
    """Run until `stop` is set."""
    # One thread, and so one connection, for the database; several for the bus, whose calls wait for the disk.
    with ThreadPoolExecutor(1, "hj212-database") as database, ThreadPoolExecutor(8, "hj212-bus") as bus:
        ask = functools.partial(_in, database)
        registered = Registered(ask(_with_database(find_device)))
        ledger = Ledger(ask(_with_database(_write)))
        door = Door(
            registered=registered,
            intake=Intake(packs(), registered.infos),
            tables=FactorTables(packs().parameters, region()),
            ledger=ledger,
            zone=ZoneInfo(settings.TIME_ZONE),
            publish=_in(bus, _publish),
        )
        gateway = Gateway(door)
        server = await asyncio.start_server(gateway.meet, host, port)
        log.warning("HJ 212 on %s:%d", host, port)
        sign = ask(_with_database(_sign))
        async with server:
            await _keep_books(ledger, lambda: sign(gateway.connections), stop)
            server.close()
            await gateway.end()
            await ledger.flush()
        await ask(connections.close_all)()


async def _keep_books(ledger: Ledger, sign: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    turn = 0
    while not stop.is_set():
        await ledger.flush()
        if turn % BEAT_EVERY == 0:
            try:
                await sign()
            except Exception as problem:  # the database comes back by itself; readings go to the bus meanwhile
                log.warning("no sign of life written: %s", problem)
        turn += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), FLUSH_SECONDS)


def _write(counts: Mapping[str, int], refused: Sequence[SetAside], at: datetime) -> None:
    write_door_book(door=DOOR, counts=counts, refused=refused, at=at)


def _sign(connected: int) -> None:
    beat(process=DOOR, at=datetime.now(UTC), body={"connections": connected})


def _publish(message: bytes) -> None:
    the_bus().publish(SUBJECT, message)


def _with_database(work: Callable[P, T]) -> Callable[P, T]:
    """Drops a connection that a restart of the database has broken, before and after."""

    @functools.wraps(work)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        close_old_connections()
        try:
            return work(*args, **kwargs)
        finally:
            close_old_connections()

    return guarded


def _in(pool: ThreadPoolExecutor, work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The same work, awaited while a thread of the pool does it."""

    async def awaited(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, functools.partial(work, *args, **kwargs))

    return awaited


async def _run(host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(host, port, stop)


def main(host: str, port: int) -> None:
    """`zhiwan hj212`; Django is set up."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    the_bus()  # without it nothing can be stored: say so at once
    packs()  # reads the district's changes from the database, which may not be asked from within the loop
    asyncio.run(_run(host, port))
