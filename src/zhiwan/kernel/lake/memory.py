"""The lake's twin in memory: small, slow and plainly right. Tests and replays use it; the contract holds for both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, Quality, empty_observations
from zhiwan.kernel.lake import aggregates
from zhiwan.kernel.lake.port import Aggregate
from zhiwan.kernel.lake.shapes import (
    AREA_SCHEMA,
    DAY,
    HOUR,
    IDENTITY_KEY,
    INDICATOR_SCHEMA,
    ROLLUP_SCHEMA,
    bucket,
    checked,
    month_of,
    offset_of,
)

_KEPT_OF_ROLLUP = {name: dtype for name, dtype in ROLLUP_SCHEMA.items() if name != "rolled"}


class MemoryLake:
    """Keeps frames; figures are computed from raw rows at every question, except those of forgotten months."""

    def __init__(self, zone: str = "Asia/Shanghai") -> None:
        self._offset = offset_of(zone)
        self._rows = empty_observations()
        self._figures = {grain: pl.DataFrame(schema=_KEPT_OF_ROLLUP) for grain in (HOUR, DAY)}
        self._indicators = pl.DataFrame(schema=INDICATOR_SCHEMA)
        self._committed: dict[str, int] = {}
        self._horizon: datetime | None = None

    def append(self, frame: pl.DataFrame, app: str, version: int) -> bool:
        last = self.committed(app)
        if version <= last:
            return False
        rows = checked(frame)
        if last >= 0:
            rows = rows.filter((pl.col("seq") <= 0) | (pl.col("seq") > last))
        if rows.is_empty():
            return False
        self._rows = pl.concat([self._rows, rows])
        self._committed[app] = version
        return True

    def import_history(self, frame: pl.DataFrame, app: str, version: int) -> bool:
        return self.append(frame, app, version)

    def committed(self, app: str) -> int:
        return self._committed.get(app, -1)

    def rows(
        self, entity: str, property: str, start: datetime, end: datetime, as_of: datetime | None = None
    ) -> pl.DataFrame:
        found = self._rows.filter(pl.col("entity") == entity, pl.col("property") == property, _within(start, end))
        if as_of is not None:
            found = found.filter(pl.col("recorded_at") <= as_of)
        return found.sort("observed_at", "recorded_at", "seq", "source")

    def current(
        self, pairs: pl.DataFrame, start: datetime, end: datetime, as_of: datetime | None = None
    ) -> pl.DataFrame:
        found = self._rows.filter(_within(start, end)).join(pairs, on=["entity", "property"], how="semi")
        if as_of is not None:
            found = found.filter(pl.col("recorded_at") <= as_of)
        return aggregates.winners(found).sort(IDENTITY_KEY)

    def extent(self, properties: Sequence[str]) -> tuple[datetime, datetime] | None:
        times = self._rows.filter(pl.col("property").is_in(list(properties)))["observed_at"]
        low, high = times.min(), times.max()
        return (low, high) if isinstance(low, datetime) and isinstance(high, datetime) else None

    def seen(self, identities: pl.DataFrame) -> pl.DataFrame:
        wanted = identities.select(pl.col(name).cast(OBSERVATION_SCHEMA[name]) for name in IDENTITY_KEY)
        return aggregates.winners(self._rows.join(wanted, on=IDENTITY_KEY, how="semi"))

    def history(
        self,
        entity: str,
        property: str,
        start: datetime,
        end: datetime,
        every: timedelta | None = None,
        aggregate: Aggregate = "mean",
        as_of: datetime | None = None,
        sources: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        kept = aggregates.winners(self.rows(entity, property, start, end, as_of))
        kept = aggregates.preferred(kept, sources)
        if every is None:
            return aggregates.readings(kept)
        return aggregates.from_rows(kept, every, aggregate, self._offset)

    def quality_counts(self, start: datetime, end: datetime) -> pl.DataFrame:
        found = aggregates.winners(self._rows.filter(_within(start, end)))
        quality = pl.col("quality")
        flags = [((quality & int(f)) != 0).sum().cast(pl.Int64).alias(str(f.name).lower()) for f in Quality if f]
        counted = found.group_by("entity", "property").agg(
            pl.len().cast(pl.Int64).alias("rows"), (quality == 0).sum().cast(pl.Int64).alias("good"), *flags
        )
        return counted.sort("entity", "property")

    def roll_up(self) -> int:
        return 0

    def hourly(self, entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
        return self._of(self._rolled(HOUR), entity, property, start, end)

    def daily(self, entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
        return self._of(self._rolled(DAY), entity, property, start, end)

    def by_area(
        self, property: str, start: datetime, end: datetime, every: timedelta, areas: pl.DataFrame
    ) -> pl.DataFrame:
        found = aggregates.winners(self._rows.filter(pl.col("property") == property, _within(start, end)))
        value = pl.col("value")
        return (
            found.filter(aggregates.good())
            .join(areas.select("entity", "area").unique(), on="entity")
            .with_columns(observed_at=bucket("observed_at", every, self._offset))
            .group_by("area", "observed_at")
            .agg(
                mean=value.mean(), min=value.min(), max=value.max(), sum=value.sum(),
                n=pl.len(), entities=pl.col("entity").n_unique(),
            )
            .select(pl.col(name).cast(dtype) for name, dtype in AREA_SCHEMA.items())
            .sort("area", "observed_at")
        )  # fmt: skip

    def append_indicators(self, frame: pl.DataFrame, app: str = "indicators", version: int | None = None) -> bool:
        key = f"{app} of indicators"
        if frame.is_empty() or (version is not None and version <= self.committed(key)):
            return False
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in INDICATOR_SCHEMA.items())
        self._indicators = pl.concat([self._indicators, rows])
        if version is not None:
            self._committed[key] = version
        return True

    def indicator_history(self, indicator: str, area: str, start: datetime, end: datetime) -> pl.DataFrame:
        found = self._indicators.filter(
            pl.col("indicator") == indicator, pl.col("area") == area, pl.col("at") >= start, pl.col("at") < end
        )
        return found.unique(["indicator", "area", "at"], keep="last", maintain_order=True).sort("at")

    def compact(self) -> None:
        """Nothing is ever small here."""

    def retain(self, before: datetime) -> int:
        old = month_of("observed_at") < before.strftime("%Y-%m")
        gone = self._rows.filter(old).select(month_of("observed_at").n_unique()).item()
        if gone:
            kept = {grain: self._rolled(grain) for grain in (HOUR, DAY)}
            self._horizon = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            self._figures = kept
            self._rows = self._rows.filter(~old)
        return int(gone)

    def erase(self, entities: Sequence[str], property: str) -> int:
        its = (pl.col("property") == property) & pl.col("entity").is_in(list(entities))
        gone = self._rows.filter(its).height
        self._rows = self._rows.filter(~its)
        self._figures = {grain: figures.filter(~its) for grain, figures in self._figures.items()}
        return gone

    def vacuum(self, keep: timedelta = timedelta(days=7)) -> int:
        return 0

    def _rolled(self, grain: timedelta) -> pl.DataFrame:
        rows = aggregates.winners(self._rows).filter(aggregates.good()).sort("observed_at", "source")
        rows = rows.with_columns(start=bucket("observed_at", grain, self._offset))
        value, moment = pl.col("value"), pl.col("observed_at")
        fresh = rows.group_by("entity", "property", "start", maintain_order=True).agg(
            n=pl.len(), sum=value.sum(), min=value.min(), max=value.max(), first=value.first(),
            first_at=moment.first(), last=value.last(), last_at=moment.last(),
        ).select(pl.col(name).cast(dtype) for name, dtype in _KEPT_OF_ROLLUP.items())  # fmt: skip
        if self._horizon is None:
            return fresh
        kept = self._figures[grain].filter(pl.col("start") < self._horizon)
        return pl.concat([kept, fresh.filter(pl.col("start") >= self._horizon)])

    def _of(self, figures: pl.DataFrame, entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
        found = figures.filter(
            pl.col("entity") == entity, pl.col("property") == property, pl.col("start") >= start, pl.col("start") < end
        )
        return found.sort("start")


def _within(start: datetime, end: datetime) -> pl.Expr:
    return (pl.col("observed_at") >= start) & (pl.col("observed_at") < end)
