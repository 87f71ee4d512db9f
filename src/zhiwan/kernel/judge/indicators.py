"""Vital signs (体征): one number per area, from the newest values of its entities, with how many of them are fresh.

A value older than `fresh` does not count: the entity is told as stale instead, so that "no data" never looks like
"all calm". Roll-up is by the prefix of the area code: district (6), town (9), village (12).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.judge.engines.polars import DTYPES, to_polars
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.rulebook import CompiledIndicator, RuleBook
from zhiwan.kernel.judge.world import World, microseconds
from zhiwan.kernel.packs.models import Band, Indicator

INDICATOR_SCHEMA: dict[str, pl.DataType] = {
    "indicator": pl.String(),  # global id
    "area": pl.String(),
    "value": pl.Float64(),  # null where no entity is fresh (count: 0)
    "n": pl.Int64(),  # entities that count
    "stale": pl.Int64(),  # entities whose values are missing or too old
    "at": UTC_US,  # the newest reading used
    "band": pl.Int32(),  # index of the indicator's band
}
AREA_LENGTHS = (6, 9, 12)


def compute_indicators(
    book: RuleBook, world: World, latest: pl.DataFrame, now: datetime, only: Sequence[str] | None = None
) -> pl.DataFrame:
    """All indicators (or those of the global ids `only`) for every area with entities, as INDICATOR_SCHEMA.

    `latest` has one row per entity and property: entity, property, observed_at, value.
    """
    wanted = [one for one in book.indicators if only is None or one.id in only]
    frames = [_areas(one, _entities(one, world, latest, now)) for one in wanted if one.indicator.over in world.entities]
    return pl.concat(frames) if frames else pl.DataFrame(schema=INDICATOR_SCHEMA)


def _entities(one: CompiledIndicator, world: World, latest: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Each entity the indicator is about: area, value (null when stale), at."""
    entities = world.entities[one.indicator.over]
    leaves = n.leaves(one.value, one.where)
    # Names of ours begin with #, which no name of an expression does.
    columns = [pl.col("id").alias("#id"), pl.col("area").alias("#area")]
    for leaf in leaves:
        if isinstance(leaf, n.Name) and leaf.key not in one.properties:
            known = pl.col(leaf.key) if leaf.key in entities.columns else pl.lit(None)
            columns.append(known.cast(DTYPES[leaf.kind], strict=False).alias(leaf.key))
    frame = entities.select(columns)
    moment = np.array([microseconds(now)])
    for leaf in leaves:
        if isinstance(leaf, n.Parameter):
            value = world.parameter_values(leaf.id, moment)[0]
            frame = frame.with_columns(pl.lit(None if np.isnan(value) else value, dtype=pl.Float64).alias(leaf.key))
    fresh = latest.filter(pl.col("observed_at") > now - one.indicator.fresh, pl.col("value").is_finite())
    ats = []
    for name in one.properties:
        mine = fresh.filter(pl.col("property") == name).select(
            pl.col("entity").alias("#id"), pl.col("value").alias(name), pl.col("observed_at").alias(f"#{name}")
        )
        frame = frame.join(mine, on="#id", how="left", maintain_order="left")
        ats.append(f"#{name}")
    value = to_polars(one.value).cast(pl.Float64)
    at = pl.max_horizontal(ats) if ats else pl.lit(now)
    # Entities that `where` leaves out stay as rows: an area in which none is left has the figure 0, not the last one.
    meant = to_polars(one.where).fill_null(value=False)
    return frame.select(
        pl.col("#area").alias("area"), value.alias("value"), at.cast(UTC_US).alias("at"), meant.alias("meant")
    )


def _areas(one: CompiledIndicator, entities: pl.DataFrame) -> pl.DataFrame:
    spread = [
        entities.filter(pl.col("area").str.len_chars() >= length).with_columns(pl.col("area").str.slice(0, length))
        for length in AREA_LENGTHS
    ]
    meant, counted = pl.col("meant"), pl.col("meant") & pl.col("value").is_not_null()
    newest = pl.col("at").max()
    rolled = (
        pl.concat(spread)
        .group_by("area")
        .agg(
            # Where nothing is meant and nothing was heard either, nobody knows: no 0.
            pl.when(meant.any() | newest.is_not_null()).then(_rollup(one.indicator, meant)).alias("value"),
            counted.sum().cast(pl.Int64).alias("n"),
            (meant & ~counted).sum().cast(pl.Int64).alias("stale"),
            pl.coalesce(pl.col("at").filter(counted).max(), pl.when(~meant.any()).then(newest)).alias("at"),
        )
        .sort("area")
    )
    value = pl.when(pl.col("value").is_finite()).then(pl.col("value"))
    return rolled.with_columns(value, indicator=pl.lit(one.id)).with_columns(
        _band(one.indicator.bands, pl.col("value")).alias("band")
    ).select(pl.col(name).cast(dtype) for name, dtype in INDICATOR_SCHEMA.items())  # fmt: skip


def _rollup(indicator: Indicator, meant: pl.Expr) -> pl.Expr:
    value = pl.col("value").filter(meant)
    known = value.filter(value.is_not_null())
    match indicator.rollup:
        case "mean":
            return value.mean()
        case "max":
            return value.max()
        case "min":
            return value.min()
        case "sum":
            return pl.when(known.len() > 0).then(value.sum())
        case "count":  # entities for which the value is true, or a number that is not 0
            return (value != 0).sum().cast(pl.Float64)
        case "share":
            return (value != 0).mean() * (100.0 if indicator.unit == "%" else 1.0)


def _band(bands: Sequence[Band], value: pl.Expr) -> pl.Expr:
    """The first band whose upper end the value does not pass; null without value or bands."""
    found: pl.Expr = pl.lit(None, dtype=pl.Int32)
    for number, band in reversed(list(enumerate(bands))):
        fits = value.is_not_null() if band.upto is None else value <= band.upto
        found = pl.when(fits).then(pl.lit(number, dtype=pl.Int32)).otherwise(found)
    return found
