"""Roll-ups equal the raw rows after any mix of late data, corrections, flags, runs, folds and compactions."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.lake import Lake, MemoryLake

START = datetime(2026, 10, 31, 20, tzinfo=UTC)  # a month ends inside the span
MINUTE = timedelta(minutes=1)

row = st.tuples(
    st.sampled_from(["a", "b"]),  # entity
    st.integers(0, 12 * 60),  # minutes after START: any order, so most rows are late
    st.one_of(st.none(), st.integers(-50, 50).map(float)),
    st.sampled_from(["s1", "s2"]),
    st.sampled_from([0, 0, 0, 1, 2, 16]),  # quality; 1 is RANGE
)
step = st.one_of(
    st.tuples(st.just("append"), st.lists(row, min_size=1, max_size=8)),
    st.tuples(st.sampled_from(["roll_up", "compact"]), st.none()),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(step, min_size=1, max_size=8))
def test_figures_equal_raw_after_any_history(steps: list[tuple[str, list[tuple[object, ...]] | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, twin = Lake(Path(folder)), MemoryLake()
        for version, (verb, rows) in enumerate(steps):
            if rows is not None:
                frame = _frame(rows, version)
                lake.append(frame, "app", version)
                twin.append(frame, "app", version)
            else:
                getattr(lake, verb)()
            _agree(lake, twin)
        # Another process sees the same, and the stored figures alone (nothing pending) say the same.
        lake.roll_up()
        _agree(Lake(Path(folder)), twin)


def _agree(lake: Lake, twin: MemoryLake) -> None:
    low, high = START - timedelta(days=2), START + timedelta(days=2)
    areas = pl.DataFrame({"entity": ["a", "b"], "area": ["x", "x"]})
    for entity in ("a", "b"):
        for question in ("hourly", "daily"):
            asked = (entity, "level", low, high)
            assert_frame_equal(getattr(lake, question)(*asked), getattr(twin, question)(*asked))
        cut = (entity, "level", START + 90 * MINUTE, START + 150 * MINUTE)  # ends inside an hour
        assert_frame_equal(lake.hourly(*cut), twin.hourly(*cut))
    asked_area = ("level", low, high, timedelta(hours=1), areas)
    assert_frame_equal(lake.by_area(*asked_area), twin.by_area(*asked_area))


def _frame(rows: list[tuple[object, ...]], version: int) -> pl.DataFrame:
    at = START + timedelta(days=30)
    return pl.DataFrame(
        [
            (entity, "level", START + minute * MINUTE, value, source, at + (100 * version + k) * MINUTE, quality, 0)
            for k, (entity, minute, value, source, quality) in enumerate(rows)  # type: ignore[operator]
        ],
        schema=OBSERVATION_SCHEMA,
        orient="row",
    )
