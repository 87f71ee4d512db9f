"""Quality flags and duplicates, whole batches at a time.

Everything here is a function of the readings in the order of the stream: any split into batches gives the same rows
and flags, because whatever one reading needs to know of those before it lies in IntakeMemory or in the lake.

- duplicate: same identity and same value as accepted last for it; dropped. Another value: CORRECTION.
- RANGE: outside the declared range. SKEW: the device's time and the receipt differ by more than declared.
- LATE: older than the newest accepted before it. The two flags below look at readings that are not late.
- GAP: more than three cadences after the newest before it. FROZEN: the run of equal values lasts longer than declared.
- recorded_at is the time of receipt, never earlier than that of any reading before it; of readings of one identity in
  one message each later one is a microsecond later, so that the latest recorded is the last that was sent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US, Quality
from zhiwan.kernel.sense.memory import NEVER, Floats, IntakeMemory, Ints

#: Asks the lake for the winning rows of identities (entity, property, observed_at, source).
Seen = Callable[[pl.DataFrame], pl.DataFrame]

_IDENTITY = ["slot", "at", "source"]
CADENCES = 3

#: What `check` takes: one row per value in stream order; limits are those of the property, null where undeclared.
POINT_SCHEMA: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "property": pl.String(),
    "source": pl.String(),
    "seq": pl.Int64(),
    "at": pl.Int64(),  # µs
    "received": pl.Int64(),  # µs
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "cadence": pl.Int64(),  # µs, and so the next two
    "frozen": pl.Int64(),
    "skew": pl.Int64(),
}


def check(points: pl.DataFrame, memory: IntakeMemory, seen: Seen | None) -> tuple[pl.DataFrame, int]:
    """Observations with their flags, and the number of duplicates dropped."""
    if points.is_empty():
        return pl.DataFrame(schema=OBSERVATION_SCHEMA), 0
    slots = memory.slots(points)
    received = np.maximum(np.maximum.accumulate(points["received"].to_numpy()), memory.clock)
    memory.clock = int(received[-1])
    rows = points.with_columns(
        pl.Series("slot", slots, dtype=pl.Int64),
        pl.Series("recorded", received, dtype=pl.Int64),
        pl.Series("newest", memory.newest[slots], dtype=pl.Int64),
        correction=pl.lit(False),
    )
    rows = _without_duplicates(rows, memory, seen)
    dropped = points.height - rows.height
    if rows.is_empty():
        return pl.DataFrame(schema=OBSERVATION_SCHEMA), dropped
    rows = _with_runs(rows, memory)
    memory.remember(rows.rename({"value": "prior"}))
    return rows.select(_observation_columns()), dropped


def remember_again(observations: pl.DataFrame, memory: IntakeMemory) -> None:
    """After a restart: brings memory, saved before these observations were accepted, to where it was after them."""
    if observations.is_empty():
        return
    slots = memory.slots(observations)
    rows = observations.select(pl.col("observed_at").dt.epoch("us").alias("at"), "value").with_columns(
        pl.Series("slot", slots, dtype=pl.Int64), pl.Series("newest", memory.newest[slots], dtype=pl.Int64)
    )
    _with_runs(rows, memory)


def _without_duplicates(rows: pl.DataFrame, memory: IntakeMemory, seen: Seen | None) -> pl.DataFrame:
    old = rows["at"] <= rows["newest"]
    twice = rows.select(_IDENTITY).is_duplicated()
    if not (old | twice).any():
        return rows
    # Readings newer than all before them cannot have been accepted before: only the others are looked up.
    priors = _priors(rows.filter(old), memory, seen)
    before = pl.col("value").shift(1).over(_IDENTITY)
    return (
        rows.join(priors, on=_IDENTITY, how="left", maintain_order="left")
        .with_columns(before=pl.coalesce(before, pl.col("prior")))
        .filter(pl.col("before").is_null() | (pl.col("before") != pl.col("value")))
        .with_columns(
            correction=pl.col("before").is_not_null(),
            recorded=pl.col("recorded") + pl.int_range(pl.len()).over(*_IDENTITY, "seq"),
        )
        .drop("before", "prior")
    )


def _priors(old: pl.DataFrame, memory: IntakeMemory, seen: Seen | None) -> pl.DataFrame:
    """The value accepted last for each identity: from memory, else from the lake."""
    known = memory.recalled(old)
    if seen is None or old.is_empty():
        return known
    asked = old.join(known, on=_IDENTITY, how="anti").unique(_IDENTITY, maintain_order=True)
    if asked.is_empty():
        return known
    names = asked.select("entity", "property", "source", "slot", "at")
    answered = seen(names.select("entity", "property", pl.col("at").cast(UTC_US).alias("observed_at"), "source"))
    kept = answered.filter(pl.col("value").is_not_null()).select(
        "entity", "property", "source", pl.col("observed_at").dt.epoch("us").alias("at"), pl.col("value").alias("prior")
    )
    found = names.join(kept, on=["entity", "property", "source", "at"]).select(*_IDENTITY, "prior")
    return pl.concat([known, found.select(known.columns)])


def _with_runs(rows: pl.DataFrame, memory: IntakeMemory) -> pl.DataFrame:
    """Add `before` (newest time before each row), `late` and `since` (start of its run of equal values)."""
    order = np.argsort(rows["slot"].to_numpy(), kind="stable")
    slot, at, value, newest = (rows[name].to_numpy()[order] for name in ("slot", "at", "value", "newest"))
    before = np.maximum(newest, _newest_before(slot, at))
    late = at < before
    since = np.zeros_like(at)
    since[~late] = _run_starts(slot[~late], at[~late], value[~late], memory)
    columns = {"before": before, "late": late, "since": since}
    for name, column in columns.items():
        columns[name] = np.empty_like(column)
        columns[name][order] = column
    return rows.with_columns(pl.Series(name, column) for name, column in columns.items())


def _first_of_each(slot: Ints) -> npt.NDArray[np.bool_]:
    """Where a new slot begins; equal slots stand together."""
    return np.append(True, slot[1:] != slot[:-1]) if len(slot) else np.empty(0, bool)


def _newest_before(slot: Ints, at: Ints) -> Ints:
    """The newest time among the rows of the same slot before each row, NEVER for the first."""
    first = _first_of_each(slot)
    # Each slot's times are lifted above all of the slots before it: one running maximum serves all slots.
    low, span = int(at.min()), int(at.max()) - int(at.min()) + 1
    lift = (np.cumsum(first) - 1) * span - low
    running = np.maximum.accumulate(at + lift) - lift
    return np.where(first, NEVER, np.append(0, running[:-1]))


def _run_starts(slot: Ints, at: Ints, value: Floats, memory: IntakeMemory) -> Ints:
    """When the run of equal values began that each row belongs to; memory learns how each slot ends."""
    if not len(slot):
        return at
    first = _first_of_each(slot)
    previous = np.where(first, memory.value[slot], np.append(0.0, value[:-1]))
    starts = previous != value  # of a first value ever nothing is known: NaN, which differs from everything
    places = np.arange(len(slot))
    begin = np.maximum.accumulate(np.where(first, places, 0))
    start = np.maximum.accumulate(np.where(starts, places, -1))
    since = np.where(start >= begin, at[start], memory.since[slot])
    last = np.append(first[1:], True)
    memory.update(slot[last], at[last], value[last], since[last])
    return since


def _observation_columns() -> list[pl.Expr]:
    at, value = pl.col("at"), pl.col("value")
    on_time = ~pl.col("late")
    flags = {
        Quality.RANGE: (value < pl.col("low")) | (value > pl.col("high")),
        Quality.FROZEN: on_time & (at - pl.col("since") > pl.col("frozen")),
        # A first value ever has nothing before it (NEVER) and so no gap.
        Quality.GAP: on_time & (pl.col("before") != NEVER) & (at - pl.col("before") > CADENCES * pl.col("cadence")),
        Quality.SKEW: (at - pl.col("received")).abs() > pl.col("skew"),
        Quality.LATE: pl.col("late"),
        Quality.CORRECTION: pl.col("correction"),
    }
    quality = pl.sum_horizontal(
        pl.when(test.fill_null(False)).then(int(flag)).otherwise(0) for flag, test in flags.items()
    )
    named = {
        "observed_at": at.cast(UTC_US),
        "recorded_at": pl.col("recorded").cast(UTC_US),
        "quality": quality,
    }
    return [named.get(name, pl.col(name)).cast(dtype).alias(name) for name, dtype in OBSERVATION_SCHEMA.items()]
