"""Hourly and daily roll-ups, and why they stay equal to the raw rows.

A roll-up run looks in the Delta log for the files that came since the last run, takes the (entity, property, hour)
buckets their rows fall in, recomputes exactly these from the raw rows, and *adds* the new figures with the raw table's
version (`rolled`); of several figures for one bucket the highest version wins. Added figures lie in the partition
`tier=fresh`; when many have gathered they are folded into `tier=base`, where a bucket has one figure. A bucket that
lost its last good value gets a figure with n = 0, which readers leave out and folding removes.

Raw rows that no run has seen yet are rolled on the fly while reading, so a reader never sees old figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.lake import sql
from zhiwan.kernel.lake.engine import Engine, SqlValue, scan
from zhiwan.kernel.lake.shapes import DAY, HOUR, ROLLUP_SCHEMA, bucket, month_of
from zhiwan.kernel.lake.table import Table

_APP = "roll-up"
HORIZON = "horizon"  # mark on the raw table: seconds before which raw rows were forgotten
_KEY = ["entity", "property", "start"]
_KEY_SCHEMA = {name: ROLLUP_SCHEMA[name] for name in _KEY}
_FOLD_ROWS = 400_000
_FOLD_FILES = 60
_DAYS_LISTED = 40
_JOIN_GAP = timedelta(hours=30)


@dataclass(frozen=True)
class Where:
    """Which buckets a reader wants; empty means all."""

    start: datetime | None = None
    end: datetime | None = None
    entity: str | None = None
    property: str | None = None

    def sql(self, column: str) -> str:
        tests = [f"{column} >= $start"] if self.start else []
        tests += [f"{column} < $end"] if self.end else []
        tests += ["entity = $entity"] if self.entity is not None else []
        tests += ["property = $property"] if self.property is not None else []
        return " AND ".join(tests) or "true"

    def values(self) -> dict[str, SqlValue]:
        return {"start": self.start, "end": self.end, "entity": self.entity, "property": self.property}


class RollUps:
    """Both roll-up tables over the raw table of one lake."""

    def __init__(self, folder: Path, raw: Table, engine: Engine, offset: timedelta) -> None:
        self._raw, self._engine, self._offset = raw, engine, offset
        self.hourly = Table(folder / "hourly", ROLLUP_SCHEMA, ["month", "tier"], "start")
        self.daily = Table(folder / "daily", ROLLUP_SCHEMA, ["month", "tier"], "start")

    # -- writing -------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Bring both tables up to the raw table; the number of hourly buckets recomputed."""
        version, listing = self._raw.listing()
        seen = min(self.hourly.committed(_APP), self.daily.committed(_APP))
        if version <= seen:
            return 0
        touched = self._touched(seen, version, listing, Where())
        hours = self._from_raw(touched, version, listing)
        self._add(self.hourly, hours, version)
        self._add(self.daily, self._days_of(touched, version), version)
        for table in (self.hourly, self.daily):
            if self._is_full(table):
                self.fold(table)
        return hours.height

    def fold(self, table: Table) -> None:
        """Move fresh figures into base, one per bucket, in one commit that replaces all touched days (or months)."""
        if not table.files(tier="fresh"):
            return
        fresh = self._read(table, table.files(tier="fresh"))
        by_day = table is self.hourly and fresh["start"].dt.date().n_unique() <= _DAYS_LISTED
        span = pl.col("start").dt.truncate("1d") if by_day else pl.col("start").dt.truncate("1mo")
        starts = fresh.select(span.unique().sort()).to_series().to_list()
        after = pl.Series(starts).dt.offset_by("1d" if by_day else "1mo").to_list() if starts else []
        spans = list(zip(starts, after, strict=True))
        old = [self._read(table, table.files(a, b, tier="base"), Where(a, b)) for a, b in spans]
        merged = (
            pl.concat([*old, fresh])
            .sort("rolled", descending=True)
            .unique(_KEY, keep="first", maintain_order=True)
            .filter(pl.col("n") > 0)
            .sort("property", "entity", "start")
        )
        table.replace(_partitioned(merged, "base"), " OR ".join(_span_predicate(a, b) for a, b in spans))

    def _is_full(self, table: Table) -> bool:
        files = table.listing()[1].filter(pl.col("partition.tier") == "fresh")
        return files.height > _FOLD_FILES or files["num_records"].sum() > _FOLD_ROWS

    def _add(self, table: Table, rows: pl.DataFrame, version: int) -> None:
        table.append(_partitioned(rows.sort(_KEY), "fresh"), _APP, version)

    # -- reading -------------------------------------------------------------------------------------------------

    def hours(self, where: Where) -> pl.DataFrame:
        """Hourly figures equal to the raw rows of this moment."""
        return self._figures(self.hourly, where)

    def days(self, where: Where) -> pl.DataFrame:
        """Daily figures equal to the raw rows of this moment."""
        return self._figures(self.daily, where)

    def query(self, where: Where) -> tuple[str, dict[str, SqlValue], dict[str, pl.DataFrame]]:
        """A sub-query of current hourly figures (it wants the values and frames that come with it)."""
        pending = self._pending(self.hourly, where)
        listed = self.hourly.listing()[1]
        base = self.hourly.files(where.start, where.end, listing=listed, tier="base")
        fresh = self.hourly.files(where.start, where.end, listing=listed, tier="fresh")
        text = sql.merged_rollups(
            scan(base, ROLLUP_SCHEMA, "base"), scan(fresh, ROLLUP_SCHEMA, "fresh"), where.sql("start")
        )
        return text, {**where.values(), "base": base, "fresh": fresh}, {"pending": pending}

    def _figures(self, table: Table, where: Where) -> pl.DataFrame:
        pending = self._pending(table, where)
        return (
            pl.concat([self._read(table, table.files(where.start, where.end), where), pending])
            .sort("rolled", descending=True)
            .unique(_KEY, keep="first", maintain_order=True)
            .filter(pl.col("n") > 0)
            .sort("start", "entity", "property")
        )

    def _pending(self, table: Table, where: Where) -> pl.DataFrame:
        """Figures of the buckets that rows not yet rolled fall in. Ask before listing the table's files: a run that
        ends in between then shows a bucket twice, which is harmless, and never not at all."""
        version, listing = self._raw.listing()
        seen = table.committed(_APP)
        if version <= seen:
            return pl.DataFrame(schema=ROLLUP_SCHEMA)
        grain = DAY if table is self.daily else HOUR
        # A bucket that begins before `end` may have been touched by a row after it.
        wider = replace(where, end=where.end + grain) if where.end else where
        touched = self._touched(seen, version, listing, wider)
        compute = self._days_of(touched, version) if grain == DAY else self._from_raw(touched, version, listing)
        return compute.filter(_inside(where))

    def _read(self, table: Table, files: list[str], where: Where | None = None) -> pl.DataFrame:
        test = (where or Where()).sql("start")
        text = f"SELECT * FROM {scan(files, ROLLUP_SCHEMA)} WHERE {test}"  # noqa: S608 (our own words only)
        return self._engine.ask(text, ROLLUP_SCHEMA, {"files": files, **(where or Where()).values()})

    # -- computing -----------------------------------------------------------------------------------------------

    def _touched(self, seen: int, version: int, listing: pl.DataFrame, where: Where) -> pl.DataFrame:
        """Buckets (entity, property, hour) that rows of commits in (seen, version] fall in, after the horizon."""
        added = self._raw.files_added(seen, version) if seen >= 0 else None
        files = self._raw.files(listing=listing) if added is None else added
        horizon = self._raw.committed(HORIZON)
        text = sql.touched_hours(scan(files, OBSERVATION_SCHEMA), where.sql("observed_at"))
        values = {"files": files, "horizon": horizon, **where.values()}
        return self._engine.ask(text, _KEY_SCHEMA, values)

    def _from_raw(self, touched: pl.DataFrame, version: int, listing: pl.DataFrame) -> pl.DataFrame:
        """The hourly figures of these buckets, computed from raw rows; n = 0 where no good value is left."""
        parts = [pl.DataFrame(schema=ROLLUP_SCHEMA)]
        for part in _runs(touched):
            low, high = part["start"].min(), part["start"].max()
            if not isinstance(low, datetime) or not isinstance(high, datetime):
                continue
            files = self._raw.files(low, high + HOUR, listing=listing)
            text = sql.hours_from_raw(scan(files, OBSERVATION_SCHEMA))
            values: dict[str, SqlValue] = {"files": files, "start": low, "end": high + HOUR, "rolled": version}
            parts.append(self._engine.ask(text, ROLLUP_SCHEMA, values, {"touched": part}))
        return pl.concat(parts)

    def _days_of(self, touched: pl.DataFrame, version: int) -> pl.DataFrame:
        """The daily figures of the local days that the hours lie in, computed from hourly figures."""
        if touched.is_empty():
            return pl.DataFrame(schema=ROLLUP_SCHEMA)
        days = touched.with_columns(start=bucket("start", DAY, self._offset)).unique()
        parts = []
        for part in _runs(days):
            low, high = part["start"].min(), part["start"].max()
            if not isinstance(low, datetime) or not isinstance(high, datetime):
                continue
            text, values, frames = self.query(Where(low, high + DAY))
            frames["touched"] = part
            values["rolled"] = version
            parts.append(self._engine.ask(sql.days_from_hours(text, self._offset), ROLLUP_SCHEMA, values, frames))
        return pl.concat(parts)


def _runs(buckets: pl.DataFrame) -> list[pl.DataFrame]:
    """Buckets in groups that lie close together in time and in one month: one late value must not make us read all
    weeks between, and years of imported history are taken in pieces that fit in memory."""
    start = pl.col("start")
    step = (start.diff() > _JOIN_GAP) | (month_of("start") != month_of("start").shift(1))
    ordered = buckets.sort("start").with_columns(run=step.fill_null(False).cum_sum())
    return ordered.partition_by("run", include_key=False)


def _inside(where: Where) -> pl.Expr:
    tests = [pl.col("start") >= where.start] if where.start else []
    tests += [pl.col("start") < where.end] if where.end else []
    return pl.all_horizontal(tests) if tests else pl.lit(True)


def _partitioned(rows: pl.DataFrame, tier: str) -> pl.DataFrame:
    return rows.with_columns(month=month_of("start"), tier=pl.lit(tier))


def _span_predicate(start: datetime, end: datetime) -> str:
    """In Delta's SQL; the month lets it leave other partitions unopened (a span never crosses a month)."""
    month = start.strftime("%Y-%m")
    return f"(month = '{month}' AND start >= '{start.isoformat()}' AND start < '{end.isoformat()}')"
