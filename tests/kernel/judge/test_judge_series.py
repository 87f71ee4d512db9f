"""The memory of readings: bounded, the same for every split, and back from the store as it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhiwan.kernel.judge import series as module
from zhiwan.kernel.judge.series import Series

HORIZON = 50
IDS = ["a", "b", "c"]
arrival = st.tuples(st.integers(0, 2), st.integers(-60, 20), st.integers(0, 9).map(float))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(module, "MERGE", 3)
    monkeypatch.setattr(module, "LARGE", 12)


class Store:
    """Keeps chunks as the database does."""

    def __init__(self):
        self.rows = {}

    def save(self, series):
        self.rows |= {number: series.encode(number, IDS) for number in series.unsaved}
        for number in series.dropped:
            self.rows.pop(number, None)
        series.mark_saved()

    def load(self):
        series = Series(HORIZON)
        series.grow(len(IDS))
        for number in sorted(self.rows):
            series.decode(number, self.rows[number], {id: slot for slot, id in enumerate(IDS)})
        return series


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(arrival, min_size=1, max_size=6), max_size=30), st.data())
def test_what_is_remembered_depends_on_the_arrivals_alone(batches, data):
    series, store, clock = Series(HORIZON), Store(), 0
    series.grow(len(IDS))
    known = {0: [], 1: [], 2: []}
    for batch in batches:
        times = []
        for slot, later, value in batch:
            clock = max(clock, clock + later)
            times.append(clock + min(later, 0))
            known[slot].append((times[-1], value))
        series.append(np.array([one[0] for one in batch]), np.array(times), np.array([one[2] for one in batch]))
        action = data.draw(st.sampled_from(["go on", "save", "restart"]))
        if action != "go on":
            store.save(series)
        if action == "restart":
            series = store.load()
    for slot, arrivals in known.items():
        head = max((at for at, _ in arrivals), default=None)
        kept = [(at, value) for at, value in arrivals if at >= head - HORIZON]
        assert series.by_slot(np.array([slot])).get(slot, []) == kept
        if arrivals:
            assert series.head_at[slot] == head
            assert series.head_value[slot] == [value for at, value in arrivals if at == head][-1]


def test_it_does_not_grow_without_end():
    series, store = Series(HORIZON), Store()
    series.grow(len(IDS))
    series.append(np.array([2]), np.array([5]), np.array([7.0]))  # falls silent
    for at in range(10, 3_000):
        series.append(np.array([0, 1]), np.array([at, at]), np.array([1.0, 2.0]))
        store.save(series)
    rows = sum(chunk.frame.height for chunk in series.chunks)
    assert rows < 2 * HORIZON + 30
    assert len(store.rows) == len(series.chunks)
    assert store.load().by_slot(np.array([2])) == {2: [(5, 7.0)]}
