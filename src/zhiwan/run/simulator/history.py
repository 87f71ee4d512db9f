"""The last two days of the demonstration, hour by hour, so that charts are not empty when it begins.

Sound values only: faults begin with the live stream. What derive steps write is computed by the packs' own code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US
from zhiwan.kernel.packs.code import load_code
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.run.simulator.fleet import SimDevice
from zhiwan.run.simulator.world import World

SPAN, STEP = timedelta(hours=48), timedelta(hours=1)
SOURCE = "demo-history"


def history(
    packs: PackSet,
    fleet: Sequence[SimDevice],
    world: World,
    *,
    now: datetime,
    region: str = "CN",
    span: timedelta = SPAN,
    step: timedelta = STEP,
) -> Iterator[pl.DataFrame]:
    """Frames of OBSERVATION_SCHEMA, one per type (derived values with them), up to the last whole step before now."""
    last = datetime.fromtimestamp(now.timestamp() // step.total_seconds() * step.total_seconds(), UTC)
    moments = [last - step * number for number in range(int(span / step), -1, -1)]
    times = np.array([moment.timestamp() for moment in moments])
    by_type: dict[str, list[SimDevice]] = {}
    for device in fleet:
        by_type.setdefault(device.type, []).append(device)
    for type_name, devices in by_type.items():
        wide = pl.concat(
            (
                pl.DataFrame(
                    {"entity": [device.id] * len(moments), "observed_at": moments} | world.series(device, times, step),
                    schema_overrides={"observed_at": UTC_US},
                )
                for device in devices
            ),
            how="diagonal",  # devices of one type may send different things
        )
        yield _long(wide, now)
        for pack, derive in packs.derives:
            if derive.of == type_name and derive.window == timedelta(0) and set(derive.inputs) <= set(wide.columns):
                step_code = load_code(pack, derive.code)
                found = step_code(
                    wide.select("entity", "observed_at", *derive.inputs), packs.parameters.of(pack.id, region)
                )
                yield _long(found, now)


def _long(wide: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """One row per reading, as the lake keeps them."""
    return (
        wide.unpivot(index=["entity", "observed_at"], variable_name="property", value_name="value")
        .drop_nulls("value")
        .with_columns(
            value=pl.col("value").cast(pl.Float64),
            source=pl.lit(SOURCE),
            recorded_at=pl.lit(now, dtype=UTC_US),
            quality=pl.lit(0, dtype=pl.Int32),
            seq=pl.lit(0, dtype=pl.Int64),
        )
        .select(list(OBSERVATION_SCHEMA))
        .match_to_schema(OBSERVATION_SCHEMA)
    )
