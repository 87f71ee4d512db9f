"""One instrument's connection: frames are taken in order, each is stored before it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from zhiwan.kernel.bus.messages import MessageTooLarge
from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.kernel.sense.decoders.hj212 import (
    DATA,
    Damaged,
    Frame,
    FrameReader,
    Packet,
    Parts,
    Ready,
    answer,
    read_content,
    read_packet,
)
from zhiwan.kernel.sense.decoders.hj212.packet import CONVERSATION
from zhiwan.kernel.sense.hj212_rows import FactorTables, decode_hj212_rows, problem_of
from zhiwan.kernel.sense.intake import Intake
from zhiwan.kernel.sense.reasons import TAKEN, cut
from zhiwan.run.hj212_gateway.ledger import Ledger
from zhiwan.run.hj212_gateway.registered import Registered

log = logging.getLogger(__name__)

PORTION = 16_384
#: Until its first right frame a peer is a stranger and has little time; then it may be as silent as hourly data.
STRANGER_SECONDS = 60.0
IDLE_SECONDS = 2 * 3600.0
ROUND_SECONDS = 20.0  # messages in several packets are looked after so often while nothing comes
DRAIN_SECONDS = 10.0
#: So many refused frames one after the other, and the connection is ended.
MOST_REFUSED = 50
WRONG_PASSWORD_SECONDS = 1.0


@dataclass(frozen=True)
class Door:
    """What every connection of this gateway uses."""

    registered: Registered
    intake: Intake
    tables: FactorTables
    ledger: Ledger
    zone: tzinfo
    publish: Callable[[bytes], Awaitable[None]]  # returns when the stream has stored it


class NotStored(Exception):
    """The platform cannot store now. The connection is ended without an answer: the instrument sends again."""


class Connection:
    """Reads until the peer goes, is silent for too long, or sends too much nonsense."""

    def __init__(self, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._door = door
        self._in = reader
        self._out = writer
        self._frames = FrameReader()
        self._parts = Parts()
        self._trusted = False
        self._refused = 0

    async def run(self) -> None:
        """Serve the connection to its end."""
        try:
            while self._refused < MOST_REFUSED and (data := await self._next()):
                for found in self._frames.feed(data):
                    await self._take(found)
            for found in self._frames.end():
                await self._take(found)
        except (NotStored, TimeoutError, OSError) as problem:
            log.info("a connection ended: %s", problem)
        finally:
            for packet, damaged in self._parts.end():
                self._door.ledger.refuse(problem_of(damaged), packet.mn)

    async def _next(self) -> bytes:
        """The next bytes; none when the peer is gone or silent for too long."""
        patience = IDLE_SECONDS if self._trusted else STRANGER_SECONDS
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._in.read(PORTION), min(left, ROUND_SECONDS))
            self._tell(self._parts.expired(time.monotonic()))
        return b""

    async def _take(self, found: Frame | Damaged) -> None:
        if isinstance(found, Frame):
            packet = read_packet(found.text)
            if isinstance(packet, Packet):
                await self._take_packet(packet, found)
                return
            found = packet
        self._refused += 1
        self._door.ledger.refuse(problem_of(found), "")

    async def _take_packet(self, packet: Packet, whole: Frame) -> None:
        try:
            refusal = await self._door.registered.refusal(packet)
        except Exception as problem:  # whatever the database says: closed, not open
            raise NotStored(f"the registry does not answer: {problem}") from problem
        if refusal is None and packet.cn not in DATA:
            self._trusted = True
            if packet.st == CONVERSATION:
                return  # answers of the instrument to somebody's requests: nothing for us
            refusal = "COMMAND_UNKNOWN"
        if refusal is not None:
            self._refused += 1
            detail = f"CN={packet.cn}" if refusal == "COMMAND_UNKNOWN" else f"MN={packet.mn}"
            told = problem_of(Damaged(refusal, whole.text, detail))
            self._door.ledger.refuse(told, packet.mn)
            if refusal == "WRONG_PASSWORD":
                await asyncio.sleep(WRONG_PASSWORD_SECONDS)
            return
        self._trusted, self._refused = True, 0
        content = read_content(packet.cp, self._door.zone)
        ready, late = self._parts.add(packet, content, time.monotonic())
        self._tell(late)
        for one in ready:
            await self._keep(one)

    async def _keep(self, ready: Ready) -> None:
        """Store what is good, note what is not, then answer."""
        packet, door = ready.packet, self._door
        found = decode_hj212_rows(
            packet.mn, ready.content, intake=door.intake, tables=door.tables, received_at=datetime.now(UTC)
        )
        if found.message is not None:
            try:
                await door.publish(found.message)
            except (PartUnavailable, MessageTooLarge) as problem:
                door.ledger.count("NOT_STORED")
                raise NotStored(str(problem)) from problem
        door.ledger.count(TAKEN)
        at = None if ready.content.at is None else datetime.fromtimestamp(ready.content.at / 1e6, UTC)
        for wrong in found.problems:
            shown = wrong if wrong.raw else wrong._replace(raw=cut(packet.cp))
            door.ledger.refuse(shown, packet.mn, at)
        if not packet.wants_answer:
            return
        if found.problems and not await door.ledger.flush():
            raise NotStored("refused values could not be written")
        self._out.write(answer(packet))
        await asyncio.wait_for(self._out.drain(), DRAIN_SECONDS)

    def _tell(self, late: list[tuple[Packet, Damaged]]) -> None:
        for packet, damaged in late:
            self._door.ledger.refuse(problem_of(damaged), packet.mn)
