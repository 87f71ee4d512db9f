"""The lake in a folder: Delta tables written by `deltalake`, read by DuckDB.

    <folder>/observations   raw rows, partitioned by month (UTC)
    <folder>/hourly, daily  roll-ups, partitioned by month and tier (rollups.py)
    <folder>/indicators     figures of vital signs by month

Several processes may read and append (each app under its own name). Rolling up, compacting and forgetting take a file
lock, so that two processes never do them at once. A process killed between any two steps leaves at most files that
no commit names; vacuum removes them.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US, Quality
from zhiwan.kernel.lake import aggregates, sql
from zhiwan.kernel.lake.engine import Engine, SqlValue, scan
from zhiwan.kernel.lake.port import Aggregate
from zhiwan.kernel.lake.rollups import HORIZON, RollUps, Where
from zhiwan.kernel.lake.shapes import (
    AREA_SCHEMA,
    DAY,
    HOUR,
    IDENTITY_KEY,
    INDICATOR_SCHEMA,
    ROLLUP_SCHEMA,
    checked,
    is_whole,
    offset_of,
    with_month,
)
from zhiwan.kernel.lake.table import Table

#: From these spans on, reading figures beats reading rows.
_HOURLY_PAYS = timedelta(days=14)
_DAILY_PAYS = timedelta(days=90)
_KEEP_FILES = timedelta(days=7)
_ERASED_AT_ONCE = 500
_FLAGS = {str(flag.name).lower(): int(flag) for flag in Quality if flag}
QUALITY_SCHEMA: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "property": pl.String(),
    **{name: pl.Int64() for name in ("rows", "good", *_FLAGS)},
}


class Lake:
    """See the package's words and port.py. `zone` decides where days begin."""

    def __init__(self, folder: Path | str, zone: str = "Asia/Shanghai") -> None:
        self.folder = Path(folder)  # made by the first write: looking at a lake that is gone must not bring it back
        self._offset = offset_of(zone)
        self._engine = Engine(self.folder / "spill" / uuid4().hex)  # one each: DuckDB names its files alike
        self._raw = Table(self.folder / "observations", OBSERVATION_SCHEMA, ["month"], "observed_at")
        self._indicators = Table(self.folder / "indicators", INDICATOR_SCHEMA, ["month"], "at")
        self._rollups = RollUps(self.folder, self._raw, self._engine, self._offset)

    # -- writing -------------------------------------------------------------------------------------------------

    def append(self, frame: pl.DataFrame, app: str, version: int) -> bool:
        """Keep observations once (see LakePort.append)."""
        last = self._raw.committed(app)
        if version <= last:
            return False
        rows = checked(frame)
        if last >= 0:
            rows = rows.filter((pl.col("seq") <= 0) | (pl.col("seq") > last))
        if rows.is_empty():
            return False
        # Sorted rows compress well and let readers skip row groups.
        rows = with_month(rows.sort("property", "entity", "observed_at"), "observed_at")
        return self._raw.append(rows, app, version)

    def import_history(self, frame: pl.DataFrame, app: str, version: int) -> bool:
        """Keep imported rows once; the same table."""
        return self.append(frame, app, version)

    def committed(self, app: str) -> int:
        """The last version this app has committed; -1 when it never did."""
        return self._raw.committed(app)

    def append_indicators(self, frame: pl.DataFrame, app: str = "indicators", version: int | None = None) -> bool:
        """Keep figures of vital signs."""
        if frame.is_empty():
            return False
        rows = frame.select(pl.col(name).cast(dtype) for name, dtype in INDICATOR_SCHEMA.items())
        rows = with_month(rows.sort("indicator", "area", "at"), "at")
        return self._indicators.append(rows, None if version is None else app, version or 0)

    # -- reading rows ----------------------------------------------------------------------------------------------

    def rows(
        self, entity: str, property: str, start: datetime, end: datetime, as_of: datetime | None = None
    ) -> pl.DataFrame:
        """Every kept row of one property, corrected ones too."""
        where = Where(start, end, entity, property)
        files = self._raw.files(start, end)
        test = where.sql("observed_at") + (" AND recorded_at <= $as_of" if as_of else "")
        text = sql.all_rows(scan(files, OBSERVATION_SCHEMA), test)
        return self._engine.ask(text, OBSERVATION_SCHEMA, {"files": files, "as_of": as_of, **where.values()})

    def current(
        self, pairs: pl.DataFrame, start: datetime, end: datetime, as_of: datetime | None = None
    ) -> pl.DataFrame:
        """The winning rows of many (entity, property) pairs."""
        files = self._raw.files(start, end)
        test = "observed_at >= $start AND observed_at < $end" + (" AND recorded_at <= $as_of" if as_of else "")
        text = sql.current_rows(scan(files, OBSERVATION_SCHEMA), test, "SEMI JOIN pairs USING (entity, property)")
        values: dict[str, SqlValue] = {"files": files, "start": start, "end": end, "as_of": as_of}
        frames = {"pairs": pairs.select("entity", "property").unique()}
        return self._engine.ask(text, OBSERVATION_SCHEMA, values, frames).sort(IDENTITY_KEY)

    def extent(self, properties: Sequence[str]) -> tuple[datetime, datetime] | None:
        """From when to when there are rows of any of these properties."""
        files = self._raw.files()
        text = sql.extent(scan(files, OBSERVATION_SCHEMA))
        schema: dict[str, pl.DataType] = {"first": UTC_US, "last": UTC_US}
        found = self._engine.ask(text, schema, {"files": files, "properties": list(properties)}).row(0)
        return found if found[0] is not None else None

    def seen(self, identities: pl.DataFrame) -> pl.DataFrame:
        """Of the given identities, the winning rows of those that the lake has."""
        wanted = identities.select(pl.col(name).cast(OBSERVATION_SCHEMA[name]) for name in IDENTITY_KEY).unique()
        low, high = wanted["observed_at"].min(), wanted["observed_at"].max()
        if not isinstance(low, datetime) or not isinstance(high, datetime):
            return pl.DataFrame(schema=OBSERVATION_SCHEMA)
        files = self._raw.files(low, high + timedelta(microseconds=1))
        join = f"SEMI JOIN wanted USING ({', '.join(IDENTITY_KEY)})"
        text = sql.current_rows(scan(files, OBSERVATION_SCHEMA), "observed_at BETWEEN $start AND $end", join)
        values: dict[str, SqlValue] = {"files": files, "start": low, "end": high}
        return self._engine.ask(text, OBSERVATION_SCHEMA, values, {"wanted": wanted})

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
        """One property over time (see LakePort.history)."""
        if every is not None and as_of is None and sources is None:
            for grain, pays, figures in ((DAY, _DAILY_PAYS, self.daily), (HOUR, _HOURLY_PAYS, self.hourly)):
                if end - start >= pays and self._fits(grain, every, start, end):
                    return aggregates.from_figures(
                        figures(entity, property, start, end), every, aggregate, self._offset
                    )
        kept = aggregates.winners(self.rows(entity, property, start, end, as_of))
        kept = aggregates.preferred(kept, sources)
        if every is None:
            return aggregates.readings(kept)
        return aggregates.from_rows(kept, every, aggregate, self._offset)

    def quality_counts(self, start: datetime, end: datetime) -> pl.DataFrame:
        """Winning rows per entity and property, and how many carry each flag."""
        files = self._raw.files(start, end)
        text = sql.quality_counts(scan(files, OBSERVATION_SCHEMA), _FLAGS)
        return self._engine.ask(text, QUALITY_SCHEMA, {"files": files, "start": start, "end": end})

    # -- reading figures -------------------------------------------------------------------------------------------

    def hourly(self, entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Hourly figures of one property."""
        return self._rollups.hours(Where(start, end, entity, property)).drop("rolled")

    def daily(self, entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Daily figures of one property."""
        return self._rollups.days(Where(start, end, entity, property)).drop("rolled")

    def by_area(
        self, property: str, start: datetime, end: datetime, every: timedelta, areas: pl.DataFrame
    ) -> pl.DataFrame:
        """One property pooled over the entities of each area."""
        where = Where(start, end, property=property)
        frames = {"areas": areas.select("entity", "area").unique()}
        if self._fits(HOUR, every, start, end):
            hours, values, more = self._rollups.query(where)
            text = sql.area_from_hours(hours, every, self._offset)
            return self._engine.ask(text, AREA_SCHEMA, values, {**more, **frames})
        files = self._raw.files(start, end)
        text = sql.area_from_raw(scan(files, OBSERVATION_SCHEMA), where.sql("observed_at"), every, self._offset)
        return self._engine.ask(text, AREA_SCHEMA, {"files": files, **where.values()}, frames)

    def indicator_history(self, indicator: str, area: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Figures of one vital sign of one area."""
        files = self._indicators.files(start, end)
        text = (
            f"SELECT * FROM {scan(files, INDICATOR_SCHEMA)} "  # noqa: S608 (our own words only)
            'WHERE indicator = $indicator AND area = $area AND "at" >= $start AND "at" < $end'
        )
        values: dict[str, SqlValue] = {
            "files": files, "indicator": indicator, "area": area, "start": start, "end": end,
        }  # fmt: skip
        found = self._engine.ask(text, INDICATOR_SCHEMA, values)
        return found.unique(["indicator", "area", "at"], keep="last").sort("at")

    # -- upkeep ------------------------------------------------------------------------------------------------------

    def roll_up(self) -> int:
        """Bring hourly and daily figures up to the raw rows."""
        with self._alone():
            return self._rollups.run()

    def compact(self) -> None:
        """Merge small files and fold fresh figures."""
        with self._alone():
            self._raw.compact()
            self._indicators.compact()
            self._rollups.fold(self._rollups.hourly)
            self._rollups.fold(self._rollups.daily)

    def retain(self, before: datetime) -> int:
        """Forget raw rows of whole months that ended before; figures stay as they are and are never recomputed."""
        with self._alone():
            month = before.strftime("%Y-%m")
            old = self._raw.listing()[1]
            if old.is_empty():
                return 0
            gone = old.filter(pl.col("partition.month") < month)["partition.month"].n_unique()
            if gone:
                self._rollups.run()
                horizon = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
                self._raw.delete(f"month < '{month}'", HORIZON, int(horizon.timestamp()))
            return gone

    def erase(self, entities: Sequence[str], property: str) -> int:
        """Forget a property of these entities (see LakePort.erase). Raises LakeBusy; done again it goes on."""
        with self._alone():
            tables = (self._raw, self._rollups.hourly, self._rollups.daily)
            gone = 0
            for at in range(0, len(entities), _ERASED_AT_ONCE):
                names = ", ".join(_literal(one) for one in entities[at : at + _ERASED_AT_ONCE])
                predicate = f"property = {_literal(property)} AND entity IN ({names})"
                gone += self._raw.delete(predicate)
                for table in tables[1:]:
                    table.delete(predicate)
            for table in tables:
                table.vacuum(timedelta(0))
            return gone

    def vacuum(self, keep: timedelta = _KEEP_FILES) -> int:
        """Delete files no longer in use for `keep` (readers of other processes may still hold them)."""
        with self._alone():
            tables = (self._raw, self._indicators, self._rollups.hourly, self._rollups.daily)
            return sum(table.vacuum(keep) for table in tables)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time does upkeep; the kernel drops the lock with a killed process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "upkeep.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _fits(self, grain: timedelta, every: timedelta, start: datetime, end: datetime) -> bool:
        """Whether buckets of `every` and the span itself are made of whole grains."""
        return every % grain == timedelta(0) and all(is_whole(edge, grain, self._offset) for edge in (start, end))


def _literal(text: str) -> str:
    """Text in Delta's SQL."""
    return "'" + text.replace("'", "''") + "'"


__all__ = ["AREA_SCHEMA", "QUALITY_SCHEMA", "ROLLUP_SCHEMA", "UTC_US", "Lake"]
