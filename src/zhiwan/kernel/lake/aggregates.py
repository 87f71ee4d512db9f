"""History answers made from rows or figures already read: shared by the folder and the memory lake."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from zhiwan.kernel.facts.observations import Quality
from zhiwan.kernel.lake.port import Aggregate
from zhiwan.kernel.lake.shapes import HISTORY_SCHEMA, IDENTITY_KEY, WINNER_ORDER, bucket


def winners(rows: pl.DataFrame) -> pl.DataFrame:
    """The latest row of each identity."""
    return (
        rows.sort(WINNER_ORDER, descending=True, nulls_last=True)
        .unique(IDENTITY_KEY, keep="first", maintain_order=True)
        .sort("observed_at", "source")
    )


def preferred(rows: pl.DataFrame, sources: Sequence[str] | None) -> pl.DataFrame:
    """Of several sources at one instant the one declared first; undeclared ones not at all."""
    if sources is None:
        return rows
    rank = pl.col("source").replace_strict({name: at for at, name in enumerate(sources)}, return_dtype=pl.Int64)
    return (
        rows.filter(pl.col("source").is_in(list(sources)))
        .with_columns(rank=rank)
        .sort("observed_at", "rank")
        .unique(["entity", "property", "observed_at"], keep="first", maintain_order=True)
        .drop("rank")
    )


def good() -> pl.Expr:
    """Values that take part in aggregates."""
    return pl.col("value").is_not_null() & (pl.col("quality") & int(Quality.RANGE) == 0)


def readings(rows: pl.DataFrame) -> pl.DataFrame:
    """History without buckets: the rows themselves."""
    shaped = rows.filter(pl.col("value").is_not_null()).with_columns(n=pl.lit(1, pl.Int64))
    return shaped.sort("observed_at", "source").select(_history_columns())


def from_rows(rows: pl.DataFrame, every: timedelta, aggregate: Aggregate, offset: timedelta) -> pl.DataFrame:
    """History by buckets, from winning rows of one entity and property."""
    value = pl.col("value")
    taken = {
        "mean": value.mean(),
        "min": value.min(),
        "max": value.max(),
        "sum": value.sum(),
        "count": pl.len().cast(pl.Float64),
        "first": value.first(),
        "last": value.last(),
    }
    return _answer(
        rows.filter(good())
        .sort("observed_at", "source")
        .with_columns(observed_at=bucket("observed_at", every, offset))
        .group_by("observed_at", maintain_order=True)
        .agg(taken[aggregate].alias("value"), n=pl.len())
    )


def from_figures(figures: pl.DataFrame, every: timedelta, aggregate: Aggregate, offset: timedelta) -> pl.DataFrame:
    """The same from roll-up figures whose buckets are parts of `every`."""
    taken = {
        "mean": pl.col("sum").sum() / pl.col("n").sum(),
        "min": pl.col("min").min(),
        "max": pl.col("max").max(),
        "sum": pl.col("sum").sum(),
        "count": pl.col("n").sum().cast(pl.Float64),
        "first": pl.col("first").first(),
        "last": pl.col("last").last(),
    }
    return _answer(
        figures.sort("start")
        .with_columns(observed_at=bucket("start", every, offset))
        .group_by("observed_at", maintain_order=True)
        .agg(taken[aggregate].alias("value"), total=pl.col("n").sum())
        .rename({"total": "n"})
    )


def _answer(grouped: pl.DataFrame) -> pl.DataFrame:
    nothing = [pl.lit(None, HISTORY_SCHEMA[name]).alias(name) for name in ("quality", "source")]
    return grouped.with_columns(nothing).select(_history_columns()).sort("observed_at")


def _history_columns() -> list[pl.Expr]:
    return [pl.col(name).cast(dtype) for name, dtype in HISTORY_SCHEMA.items()]
