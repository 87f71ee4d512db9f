"""The promise of intake: any split of the stream into batches, and any restart, gives the same rows and flags."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sense_world import MINUTE, NOON, intake, message

from zhiwan.kernel.bus.messages import Message
from zhiwan.kernel.lake import MemoryLake
from zhiwan.kernel.sense import IntakeMemory, SetAside

# Few devices, times and values: most readings are late, repeated or corrections of one another.
value = st.sampled_from([1, 2, 2, 2, 99, "x", None, True])
entry = st.fixed_dictionaries(
    {"values": st.dictionaries(st.sampled_from(["level", "co", "open", "speed", "index"]), value, max_size=3)},
    optional={"at": st.integers(-8, 8).map(lambda k: (NOON + 7 * k * MINUTE).isoformat()), "pad": st.just(1)},
)
content = st.one_of(entry, st.lists(entry, max_size=4), st.just("nonsense"))
sent = st.tuples(st.sampled_from(["g1", "g2", "nobody"]), content, st.integers(-1, 9))


@settings(max_examples=150, deadline=None)
@given(st.lists(sent, max_size=25), st.data())
def test_any_split_gives_the_same(stream: list[tuple[str, object, int]], data: st.DataObject) -> None:
    messages, at = [], NOON
    for seq, (device, said, minutes) in enumerate(stream, 1):
        at += minutes * MINUTE  # now and then the clock goes back
        messages.append(message(json.dumps(said).encode(), seq, device, at=at))
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=6).map(sorted))
    restarts = data.draw(st.sets(st.sampled_from(cuts))) if cuts else set()
    whole, aside, counts = _run(messages, [], set())
    parts, parts_aside, parts_counts = _run(messages, cuts, restarts)
    assert_frame_equal(whole, parts)
    assert (aside, counts) == (parts_aside, parts_counts)


def _run(
    messages: list[Message], cuts: list[int], restarts: set[int]
) -> tuple[pl.DataFrame, list[SetAside], dict[str, int]]:
    """Batches between the cuts; at a restart only what was saved and the lake are left."""
    lake, saved, memory = MemoryLake(), {}, IntakeMemory()
    door = intake(lake.seen)
    frames, aside, counts = [], [], {}
    edges = [0, *cuts, len(messages)]
    for first, last in itertools.pairwise(edges):
        if first in restarts:
            memory = IntakeMemory.load(saved.values())
        taken = door.take(messages[first:last], memory, NOON + timedelta(days=1))
        saved |= {(row.kind, row.key): row for row in memory.changed()}
        memory.mark_saved()
        lake.append(taken.observations, "stream", last)
        frames.append(taken.observations)
        aside += taken.set_aside
        for code, count in taken.counts.items():
            counts[code] = counts.get(code, 0) + count
    return pl.concat(frames), aside, counts
