"""The shapes of the lake's tables, its errors, and the arithmetic of buckets that every engine shares."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

#: One row per (entity, property, bucket); mean = sum / n. `rolled` is the raw table's version it was computed from.
ROLLUP_SCHEMA: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "property": pl.String(),
    "start": UTC_US,
    "n": pl.Int64(),
    "sum": pl.Float64(),
    "min": pl.Float64(),
    "max": pl.Float64(),
    "first": pl.Float64(),
    "first_at": UTC_US,
    "last": pl.Float64(),
    "last_at": UTC_US,
    "rolled": pl.Int64(),
}

#: The history of vital signs; `at` is the time the figure speaks of.
INDICATOR_SCHEMA: dict[str, pl.DataType] = {
    "indicator": pl.String(),
    "area": pl.String(),
    "at": UTC_US,
    "value": pl.Float64(),
    "n": pl.Int64(),
    "stale": pl.Int64(),
    "band": pl.String(),
}

#: What `history` answers. Without `every`, n is 1, and quality and source are those of the row; with it they are null.
HISTORY_SCHEMA: dict[str, pl.DataType] = {
    "observed_at": UTC_US,
    "value": pl.Float64(),
    "n": pl.Int64(),
    "quality": pl.Int32(),
    "source": pl.String(),
}

#: What `by_area` answers: pooled over all readings of the area's entities in the bucket.
AREA_SCHEMA: dict[str, pl.DataType] = {
    "area": pl.String(),
    "observed_at": UTC_US,
    "mean": pl.Float64(),
    "min": pl.Float64(),
    "max": pl.Float64(),
    "sum": pl.Float64(),
    "n": pl.Int64(),
    "entities": pl.Int64(),
}

IDENTITY_KEY = ["entity", "property", "observed_at", "source"]
#: The row that wins within an identity comes first in this order.
WINNER_ORDER = ["recorded_at", "seq", "value"]


class RowsRefused(InputRefused):
    """Rows that are no observations: a column is missing, of another kind, or empty where it must not be."""

    code = "LAKE-001"
    fact = "these rows cannot be kept as observations"
    detail = "{problem}"
    hint = "Give all columns of OBSERVATION_SCHEMA; only `value` may be null, and it must be finite."


class LakeBusy(PartUnavailable):
    """Another process kept winning the race for the same commit."""

    code = "LAKE-002"
    fact = "the lake could not commit to {table}"
    detail = "{problem}"
    hint = "Try again; only one process may write under one app name."


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with exactly the columns of observations. Raises RowsRefused."""
    try:
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in OBSERVATION_SCHEMA.items())
    except pl.exceptions.PolarsError as problem:
        raise RowsRefused(problem=str(problem)) from problem
    for name in OBSERVATION_SCHEMA:
        if name != "value" and rows[name].null_count():
            raise RowsRefused(problem=f"column {name} has {rows[name].null_count()} nulls")
    if not rows["value"].drop_nulls().is_finite().all():
        raise RowsRefused(problem="column value has NaN or infinite values")
    return rows


def month_of(column: str) -> pl.Expr:
    """The partition a row lies in: its month in UTC as text, `2026-11`."""
    return pl.col(column).dt.strftime("%Y-%m")


def with_month(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The frame with each row's partition in the column `month`."""
    low, high = frame[column].min(), frame[column].max()
    # Formatting a time costs more than all else of an append; nearly always all rows are of one month.
    if isinstance(low, datetime) and isinstance(high, datetime) and (low.year, low.month) == (high.year, high.month):
        return frame.with_columns(month=pl.lit(f"{low:%Y-%m}"))
    return frame.with_columns(month=month_of(column))


def offset_of(zone: str) -> timedelta:
    """How far local clocks of `zone` are ahead of UTC, in standard time.

    Days of the roll-ups begin at local midnight. A zone with summer time gets days of its standard time all year, so
    that every day has 24 hours; a zone whose offset is no whole hour is refused: its days are no sums of our hours.
    """
    offset = ZoneInfo(zone).utcoffset(datetime(2026, 1, 1)) or timedelta(0)  # noqa: DTZ001 (the offset is the question)
    if offset % HOUR:
        raise ValueError(f"the lake cannot keep days of {zone}: its offset {offset} is no whole hour")
    return offset


def bucket(column: str, every: timedelta, offset: timedelta) -> pl.Expr:
    """Start of the bucket of `every` that holds the time; buckets are counted from local midnight of 1970-01-01."""
    size, shift = _microseconds(every), _microseconds(offset)
    since = pl.col(column).dt.epoch("us") + shift
    return (since - since % size - shift).cast(UTC_US)


def bucket_sql(column: str, every: timedelta, offset: timedelta) -> str:
    """The same in DuckDB's SQL; `column` is a trusted name."""
    size, shift = _microseconds(every), _microseconds(offset)
    return f"make_timestamptz(epoch_us({column}) + {shift} - (epoch_us({column}) + {shift}) % {size} - {shift})"


def is_whole(moment: datetime, every: timedelta, offset: timedelta) -> bool:
    """Whether a bucket begins exactly at this moment."""
    return (int(moment.timestamp() * 1_000_000) + _microseconds(offset)) % _microseconds(every) == 0


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
