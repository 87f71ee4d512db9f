"""A disk without room under the bus and under the lake: what was answered is kept once, and it goes on by itself."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from small_disk import fill, give_back, small_disk

from zhiwan.kernel.bus.nats_bus import NatsBus
from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.lake import Lake
from zhiwan.run.embedded import nats_store
from zhiwan.run.embedded.nats import EmbeddedNats, free_port
from zhiwan.run.worker.lake_follower import DISK_FULL, LakeFollower
from zhiwan.run.worker.outbox import Parcel

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="zw-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


@pytest.mark.nats
def test_a_bus_that_met_a_full_disk_is_started_anew_and_keeps_what_it_answered(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_store, "LOOK_SECONDS", 0.0)
    with small_disk(data / "nats", 64) as disk:
        server = EmbeddedNats(data, free_port())
        address = server.start()
        bus = NatsBus(address.url, address.credentials_file)
        answered: list[bytes] = []

        def send(count: int) -> None:
            for _ in range(count):
                body = b"%06d" % len(answered) + bytes(20_000)
                bus.publish("intake.api", body)
                answered.append(body[:6])

        try:
            send(20)
            assert server.complaint() is None
            fill(disk)
            with pytest.raises(PartUnavailable):
                send(2000)
            assert server.complaint() is None, "without room a new start would not help"
            give_back(disk)
            assert wait_until(server.complaint)
            server.stop()
            server.start()
            assert server.complaint() is None
            assert wait_until(lambda: _well(bus))
            send(20)
            reader = bus.open_reader("INTAKE")
            kept = [message.payload[:6] for message in reader.pull(10_000, 2)]
            # One that was sent without an answer may be there too: its sender sends it again, and it is recognised.
            assert list(dict.fromkeys(kept)) == answered
            assert len(kept) - len(answered) <= 1
        finally:
            bus.close()
            server.stop()


def _well(bus: NatsBus) -> bool:
    try:
        bus.ping()
    except PartUnavailable:
        return False
    return True


def test_a_lake_on_a_full_disk_says_so_and_writes_afterwards_what_waited(data: Path) -> None:
    with small_disk(data / "lake", 32) as disk:
        lake = Lake(disk)
        follower = LakeFollower(lake)
        follower.add(parcel(1))
        follower.start()
        try:
            assert wait_until(lambda: follower.waiting_rows == 0)
            fill(disk)
            follower.add(parcel(2))
            follower.add(parcel(3))
            assert wait_until(lambda: follower.problem == DISK_FULL)
            assert follower.waiting_rows == 2 * ROWS
            give_back(disk)
            assert wait_until(lambda: follower.waiting_rows == 0)
            assert wait_until(lambda: follower.problem is None)
        finally:
            follower.stop()
        found = lake.rows("g0", "level", START, START + timedelta(days=1))
        assert found["value"].to_list() == [float(n) for seq in (1, 2, 3) for n in range(seq * ROWS, (seq + 1) * ROWS)]


ROWS = 500


def parcel(seq: int) -> Parcel:
    """Rows of one commit, each with a time and a value of its own."""
    rows = [
        ("g0", "level", START + timedelta(seconds=n), float(n), "g0", START, 0, seq)
        for n in range(seq * ROWS, (seq + 1) * ROWS)
    ]
    return Parcel(seq, "S@1", seq, pl.DataFrame(rows, schema=OBSERVATION_SCHEMA, orient="row"))
