"""A writer killed at any moment leaves every row at most once, and its successor completes them exactly once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zhiwan.kernel.lake import Lake

BATCHES, SIZE = 30, 200
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

# What the worker does, without its stream: read the cursor, append the next batch, now and then do the upkeep.
WRITER = f"""
import sys
from datetime import UTC, datetime, timedelta
import polars as pl
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.lake import Lake

lake, size = Lake(sys.argv[1]), int(sys.argv[2])
noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
print("ready", flush=True)
total = {BATCHES * SIZE}
for first in range(1, total + 1, size):  # a restarted writer gets everything again, in batches of another size
    last = min(first + size - 1, total)
    rows = [("e", "level", noon + timedelta(seconds=s), float(s), "d", noon, 0, s) for s in range(first, last + 1)]
    lake.append(pl.DataFrame(rows, schema=OBSERVATION_SCHEMA, orient="row"), "stream", last)
    if last % 5 == 0:
        lake.roll_up()
    if last % 7 == 0:
        lake.compact()
print("done", flush=True)
"""


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    chance = random.Random(7)
    folder = tmp_path / "lake"
    for size in (SIZE, 130, 77):
        writer = _start(folder, size)
        time.sleep(chance.uniform(0.02, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        kept = _rows(folder)
        assert kept == list(range(1, len(kept) + 1)), "a killed writer leaves a clean beginning of the stream"
    writer = _start(folder, 111)
    assert writer.wait(timeout=120) == 0
    assert _rows(folder) == list(range(1, BATCHES * SIZE + 1))
    lake = Lake(folder)
    lake.roll_up()
    figures = lake.hourly("e", "level", NOON, NOON + timedelta(days=1))
    assert figures["n"].sum() == BATCHES * SIZE


def test_a_reader_never_waits_for_or_sees_half_of_what_a_writer_does(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    writer = _start(folder, 100)
    lake, kept, reads = Lake(folder), 0, 0
    while writer.poll() is None:
        found = len(lake.rows("e", "level", NOON, NOON + timedelta(days=1)))
        counted = lake.hourly("e", "level", NOON, NOON + timedelta(days=1))["n"].sum()
        assert kept <= found <= counted, "figures hold at least what was read before them"
        kept, reads = found, reads + 1
    assert writer.returncode == 0
    assert reads > 1
    assert len(lake.rows("e", "level", NOON, NOON + timedelta(days=1))) == BATCHES * SIZE


def _start(folder: Path, size: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(size)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


def _rows(folder: Path) -> list[int]:
    found = Lake(folder).rows("e", "level", NOON, NOON + timedelta(days=1))
    return sorted(found["seq"].to_list())
