"""Nothing is answered that is not kept: the connection of an instrument while the bus or the database fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hj212_frames import MN, air, text
from zhiwan.city.people.actions import digest
from zhiwan.kernel.bus.messages import BusUnavailable
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.sense import DeviceInfo, Intake, SetAside
from zhiwan.kernel.sense.decoders.hj212 import frame
from zhiwan.kernel.sense.hj212_rows import FactorTables
from zhiwan.run.hj212_gateway.connection import Connection, Door
from zhiwan.run.hj212_gateway.ledger import MOST_KEPT, Ledger
from zhiwan.run.hj212_gateway.registered import Known, Registered

NOW = datetime.now(ZoneInfo("Asia/Shanghai"))
GOOD = frame(text(air(NOW, a34004=9), flag=5))
HALF = frame(text(air(NOW, a34004=9, a34002="x"), flag=5))


class Parts:
    """Bus, registry and database of a gateway, each of which may fail."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.published: list[bytes] = []
        self.counts: dict[str, int] = {}
        self.rows: list[SetAside] = []

    async def publish(self, message: bytes) -> None:
        if "bus" in self.broken:
            raise BusUnavailable(problem="gone")
        self.published.append(message)

    async def find(self, mn: str) -> Known | None:
        if "registry" in self.broken:
            raise OSError("gone")
        return Known(digest("123456"), True, DeviceInfo("e", "AirStation")) if mn == MN else None

    async def write(self, counts: Mapping[str, int], rows: Sequence[SetAside], at: datetime) -> None:
        if "database" in self.broken:
            raise OSError("gone")
        self.counts |= {code: self.counts.get(code, 0) + n for code, n in counts.items()}
        self.rows += rows


@pytest.fixture(scope="module")
def packs(request: pytest.FixtureRequest) -> PackSet:
    return load_packs([request.config.rootpath / "packs"])


def converse(parts: Parts, packs: PackSet, sent: bytes) -> bytes:
    """What the instrument hears until the gateway ends the conversation, or it does."""

    async def talk() -> bytes:
        registered, ledger = Registered(parts.find), Ledger(parts.write)
        intake = Intake(packs, registered.infos)
        door = Door(
            registered, intake, FactorTables(packs.parameters), ledger, ZoneInfo("Asia/Shanghai"), parts.publish
        )

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Connection(door, reader, writer).run()
            writer.close()

        async with await asyncio.start_server(meet, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(sent)
            writer.write_eof()
            heard = await asyncio.wait_for(reader.read(), 5)
            writer.close()
        parts.broken.discard("database")
        await ledger.flush()
        return heard

    return asyncio.run(talk())


def test_stored_and_answered(packs: PackSet) -> None:
    parts = Parts()
    assert b"CN=9014" in converse(parts, packs, GOOD)
    assert len(parts.published) == 1
    assert parts.counts == {"taken": 1}


@pytest.mark.parametrize("broken", ["bus", "registry"])
def test_what_cannot_be_stored_is_not_answered_and_nothing_behind_it_is_taken(packs: PackSet, broken: str) -> None:
    parts = Parts()
    parts.broken = {broken}
    assert converse(parts, packs, GOOD + GOOD) == b""
    assert parts.published == []
    assert "taken" not in parts.counts


def test_refused_values_are_written_before_the_answer_too(packs: PackSet) -> None:
    parts = Parts()
    parts.broken = {"database"}
    assert converse(parts, packs, HALF) == b""
    assert parts.counts == {"taken": 1, "NOT_A_NUMBER": 1}  # kept in memory until the database came back
    assert [row.property for row in parts.rows] == ["pm10"]
    assert b"CN=9014" in converse(parts, packs, HALF)


def test_a_broken_line_does_not_fill_the_database(packs: PackSet) -> None:
    parts = Parts()
    damaged = GOOD.replace(b"=9,", b"=8,", 1)
    converse(parts, packs, (damaged * 40 + GOOD) * 60)
    assert parts.counts["FRAME_CRC"] == 2400
    assert len(parts.rows) == MOST_KEPT
