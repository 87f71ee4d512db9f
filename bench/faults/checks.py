"""What must be true after every fault, compared with the register of what was accepted.

Lake: every accepted reading and what is derived of it, exactly once. Roll-ups and latest values: equal to the lake.
Counters: as many taken as accepted. Alarms: exactly those that follow from the readings (signals.py), each opened,
raised and cleared once; rules that must stay silent did.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import psycopg
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from bench.faults.signals import BED, NEVER, RULES, ExpectedAlarm, Reading, alarms
from zhiwan.kernel.lake import Lake

ROWS: dict[str, pl.DataType] = {
    "entity": pl.String(), "property": pl.String(), "at": pl.Int64(), "value": pl.Float64(),
}  # fmt: skip
_KEY = ["entity", "property", "at"]
SHOWN = 3


@dataclass
class Findings:
    """Differences between what must be and what is. Empty lists are good."""

    accepted: int = 0
    lake_rows: int = 0
    alarms: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, found: Iterable[Any]) -> None:
        shown = [str(one) for one in found]
        if shown:
            more = [f"… {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
            self.problems[what] = [f"{len(shown)}:", *shown[:SHOWN], *more]

    @property
    def good(self) -> bool:
        return not self.problems


def expected_rows(accepted: dict[str, list[Reading]]) -> pl.DataFrame:
    """What the lake must hold, one row each."""
    rows = [
        row
        for gauge, readings in accepted.items()
        for one in readings
        for row in (
            (gauge, "level", one.at, one.level),
            (gauge, "battery", one.at, one.battery),
            (gauge, "depth", one.at, one.level + BED),
        )
    ]
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def lake_rows(lake: Path) -> pl.DataFrame:
    """All raw rows of the gauges, read past the product's own reader."""
    try:
        files = DeltaTable(lake / "observations").file_uris()
    except TableNotFoundError:
        files = []
    if not files:
        return pl.DataFrame(schema=ROWS)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = connection.sql(
            "SELECT entity, property, epoch_ms(observed_at) AS at, value"
            " FROM read_parquet($files, union_by_name = true) WHERE entity LIKE 'gauge%'",
            params={"files": files},
        ).to_arrow_table()
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found.select(pl.col(name).cast(dtype) for name, dtype in ROWS.items())


def check(data: Path, database: str, accepted: dict[str, list[Reading]]) -> Findings:
    """One look at everything."""
    found = Findings(accepted=sum(len(readings) for readings in accepted.values()))
    wanted, kept = expected_rows(accepted), lake_rows(data / "lake")
    found.lake_rows = kept.height
    _check_lake(wanted, kept, found)
    _check_rollups(data / "lake", wanted, found)
    with psycopg.connect(database, connect_timeout=5) as connection:
        connection.execute(
            "SELECT set_config('role', 'zhiwan_district', false), set_config('zhiwan.space', 'live', false)"
        )
        _check_latest(connection, kept, found)
        _check_counts(connection, found)
        _check_alarms(connection, accepted, found)
    return found


def _check_lake(wanted: pl.DataFrame, kept: pl.DataFrame, found: Findings) -> None:
    counted = kept.group_by(_KEY).agg(pl.len().alias("times"), pl.col("value").n_unique().alias("values"))
    found.add("not in the lake", wanted.join(counted, on=_KEY, how="anti").select(_KEY).rows())
    found.add("in the lake more than once", counted.filter(pl.col("times") > 1).select(*_KEY, "times").rows())
    found.add("in the lake and never accepted", counted.join(wanted, on=_KEY, how="anti").select(_KEY).rows())
    both = wanted.join(kept, on=_KEY, suffix="_kept").filter(pl.col("value") != pl.col("value_kept"))
    found.add("another value in the lake", both.rows())


def _check_rollups(folder: Path, wanted: pl.DataFrame, found: Findings) -> None:
    """Hourly and daily figures, as every reader gets them, against figures made of the register."""
    if wanted.is_empty():
        return
    lake = Lake(folder)
    entities = wanted["entity"].unique().sort()
    areas = pl.DataFrame({"entity": entities, "area": entities})
    first = datetime.fromtimestamp(wanted["at"].min() / 1000, UTC)  # type: ignore[operator]
    # Days begin at local midnight, eight hours before ours.
    start = first.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=8)
    for name, every in (("hourly", timedelta(hours=1)), ("daily", timedelta(days=1))):
        width = int(every.total_seconds() * 1000)
        low = int(start.timestamp() * 1000)
        bucket = ((pl.col("at") - low) // width * width + low).alias("start")
        figures = wanted.group_by("entity", "property", bucket).agg(
            pl.len().cast(pl.Int64).alias("n"), pl.col("value").min().alias("min"), pl.col("value").max().alias("max"),
            pl.col("value").mean().alias("mean"),
        )  # fmt: skip
        for prop in ("level", "battery", "depth"):
            told = lake.by_area(prop, start, start + timedelta(days=3), every, areas).select(
                pl.col("area").alias("entity"), pl.lit(prop).alias("property"),
                pl.col("observed_at").dt.epoch("ms").alias("start"), "n", "min", "max", "mean",
            )  # fmt: skip
            beside = figures.filter(pl.col("property") == prop).join(
                told, on=["entity", "property", "start"], how="full", suffix="_told", coalesce=True
            )
            differs = pl.any_horizontal(pl.col(one).ne_missing(pl.col(f"{one}_told")) for one in ("n", "min", "max"))
            far = ((pl.col("mean") - pl.col("mean_told")).abs() > 1e-6).fill_null(False)
            wrong = beside.filter(differs | far).select("entity", "start", "n", "n_told")
            found.add(f"{name} figures of {prop} differ", wrong.rows())


def _check_latest(connection: psycopg.Connection[Any], kept: pl.DataFrame, found: Findings) -> None:
    rows = connection.execute(
        f"SELECT entity_id, property, {_milliseconds('observed_at')}, value FROM watch_latestvalue"
        " WHERE entity_id LIKE 'gauge%'"
    ).fetchall()
    latest = pl.DataFrame(rows, schema=ROWS, orient="row")
    newest = kept.sort("at").unique(["entity", "property"], keep="last")
    beside = newest.join(latest, on=["entity", "property"], how="full", suffix="_told", coalesce=True)
    differs = pl.col("at").ne_missing(pl.col("at_told")) | pl.col("value").ne_missing(pl.col("value_told"))
    found.add("latest value is not the lake's newest", beside.filter(differs).rows())


def _check_counts(connection: psycopg.Connection[Any], found: Findings) -> None:
    row = connection.execute("SELECT coalesce(sum(count), 0) FROM watch_doorcounter WHERE code = 'taken'").fetchone()
    taken = int(row[0]) if row else 0
    if taken != found.accepted * 2:  # two values a reading
        found.add("values counted as taken", [f"{taken}, accepted {found.accepted * 2}"])
    row = connection.execute("SELECT count(*) FROM watch_setaside").fetchone()
    if row and row[0]:
        found.add("set aside", [f"{row[0]} values"])


def _milliseconds(column: str) -> str:
    return f"round(extract(epoch FROM {column}) * 1000)::bigint"


def _check_alarms(connection: psycopg.Connection[Any], accepted: dict[str, list[Reading]], found: Findings) -> None:
    rows = connection.execute(
        f"SELECT a.entity_id, a.rule, {_milliseconds('a.opened_at')}, {_milliseconds('a.cleared_at')},"
        f" (SELECT min({_milliseconds('e.at')}) FROM watch_alarmevent e WHERE e.alarm_id = a.id AND"
        "  (e.kind = 'raised' OR (e.kind = 'opened' AND e.level = 'very_high')))"
        " FROM watch_alarm a WHERE a.rule = ANY(%s)",
        [list(RULES)],
    ).fetchall()
    told = Counter(ExpectedAlarm(*row) for row in rows)
    wanted = Counter(one for gauge, readings in accepted.items() for one in alarms(gauge, readings) if readings)
    found.alarms = len(rows)
    found.add("alarms missing", (wanted - told).elements())
    found.add("alarms that should not be, or twice", (told - wanted).elements())
    steps = connection.execute(
        "SELECT alarm_id, kind, count(*) FROM watch_alarmevent WHERE kind IN ('opened', 'raised', 'cleared')"
        " GROUP BY alarm_id, kind HAVING count(*) > 1"
    ).fetchall()
    found.add("steps of an alarm told twice", steps)
    wrong = connection.execute("SELECT rule, entity_id, opened_at FROM watch_alarm WHERE rule = ANY(%s)", [list(NEVER)])
    found.add("alarms of rules that must stay silent", wrong.fetchall())


def until_good(look: Callable[[], Findings], seconds: float, every: float = 1.5) -> Findings:
    """Looks until everything is as it must be, or the time is over; the last look."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except (psycopg.Error, OSError, duckdb.Error) as problem:
            found = Findings(problems={"cannot look": [f"{type(problem).__name__}: {problem}"]})
        if found.good or time.monotonic() > end:
            return found
        time.sleep(every)
