"""The lake's questions as named SQL for DuckDB. Values come as $parameters; what is pasted in is our own text.

`{source}` is what `scan` wrote, `{where}` a test made by `Where`. Aggregates take good values only: not null and not
flagged RANGE (quality & 1). Ties in time are broken by source so that first and last do not depend on file order.
"""

from __future__ import annotations

from datetime import timedelta

from zhiwan.kernel.lake.shapes import DAY, HOUR, bucket_sql

_COLUMNS = "entity, property, observed_at, value, source, recorded_at, quality, seq"

WINNER = (
    "QUALIFY row_number() OVER (PARTITION BY entity, property, observed_at, source"
    " ORDER BY recorded_at DESC, seq DESC, value DESC NULLS LAST) = 1"
)

GOOD = "value IS NOT NULL AND quality & 1 = 0"

_FIGURES = """
    count(*) AS n, fsum(value) AS sum, min(value) AS min, max(value) AS max,
    arg_min(value, row(observed_at, source)) AS first, min(observed_at) AS first_at,
    arg_max(value, row(observed_at, source)) AS last, max(observed_at) AS last_at"""

_FIGURES_OF_FIGURES = """
    sum(n)::BIGINT AS n, fsum(sum) AS sum, min(min) AS min, max(max) AS max,
    arg_min(first, first_at) AS first, min(first_at) AS first_at,
    arg_max(last, last_at) AS last, max(last_at) AS last_at"""


def current_rows(source: str, where: str, join: str = "") -> str:
    """The winning row of each identity."""
    return f"SELECT {_COLUMNS} FROM {source} AS r {join} WHERE {where} {WINNER}"  # noqa: S608


def all_rows(source: str, where: str) -> str:
    """Every kept row, in order of time and then of recording."""
    return f"SELECT {_COLUMNS} FROM {source} WHERE {where} ORDER BY observed_at, recorded_at, seq, source"  # noqa: S608


def extent(source: str) -> str:
    """The first and the last instant of some properties; mostly answered from the statistics of the files."""
    columns = "min(observed_at) AS first, max(observed_at) AS last"
    return f"SELECT {columns} FROM {source} WHERE list_contains($properties, property)"  # noqa: S608


def touched_hours(source: str, where: str) -> str:
    """The hours that rows fall in; those before the horizon keep the figures they had when raw rows were forgotten."""
    hour = bucket_sql("observed_at", HOUR, timedelta(0))
    return (
        f"SELECT DISTINCT entity, property, {hour} AS start FROM {source} "  # noqa: S608
        f"WHERE {where} AND epoch(observed_at) >= $horizon"
    )


def hours_from_raw(source: str) -> str:
    """Figures of the hours in `touched`, from the winning rows of [$start, $end)."""
    hour = bucket_sql("observed_at", HOUR, timedelta(0))
    return f"""
    WITH near AS (
        SELECT *, {hour} AS start FROM {source} WHERE observed_at >= $start AND observed_at < $end
    ), winners AS (
        SELECT * FROM near SEMI JOIN touched USING (entity, property, start) {WINNER}
    ), figures AS (
        SELECT entity, property, start, {_FIGURES} FROM winners WHERE {GOOD} GROUP BY entity, property, start
    )
    SELECT t.entity, t.property, t.start, coalesce(n, 0) AS n,
           sum, min, max, first, first_at, last, last_at, $rolled AS rolled
    FROM touched AS t LEFT JOIN figures AS f USING (entity, property, start)"""  # noqa: S608


def merged_rollups(base: str, fresh: str, where: str) -> str:
    """Current figures: of pending, fresh and base the one with the highest version; no buckets without values."""
    return f"""(
    WITH newest AS (
        SELECT * EXCLUDE (rank) FROM (
            SELECT *, row_number() OVER (PARTITION BY entity, property, start ORDER BY rolled DESC) AS rank
            FROM (SELECT * FROM {fresh} WHERE {where} UNION ALL BY NAME SELECT * FROM pending)
        ) WHERE rank = 1
    )
    SELECT * FROM (SELECT * FROM {base} WHERE {where}) AS b ANTI JOIN newest USING (entity, property, start)
    UNION ALL BY NAME SELECT * FROM newest WHERE n > 0
    )"""  # noqa: S608


def days_from_hours(hours: str, offset: timedelta) -> str:
    """Figures of the local days in `touched`, from current hourly figures."""
    day = bucket_sql("start", DAY, offset)
    return f"""
    WITH days AS (SELECT * REPLACE ({day} AS start) FROM {hours}),
    figures AS (
        SELECT entity, property, start, {_FIGURES_OF_FIGURES}
        FROM days SEMI JOIN touched USING (entity, property, start) GROUP BY entity, property, start
    )
    SELECT t.entity, t.property, t.start, coalesce(n, 0) AS n,
           sum, min, max, first, first_at, last, last_at, $rolled AS rolled
    FROM touched AS t LEFT JOIN figures AS f USING (entity, property, start)"""  # noqa: S608


def area_from_hours(hours: str, every: timedelta, offset: timedelta) -> str:
    """Pooled figures per area and bucket, from current hourly figures."""
    # Counting distinct entities costs three times all the rest; in buckets of an hour every figure is another entity.
    entities = "count(*)" if every == HOUR else "count(DISTINCT entity)"
    return f"""
    SELECT area, {bucket_sql("start", every, offset)} AS observed_at, sum(sum) / sum(n) AS mean, min(min) AS min,
           max(max) AS max, sum(sum) AS sum, sum(n)::BIGINT AS n, {entities} AS entities
    FROM {hours} JOIN areas USING (entity) GROUP BY ALL ORDER BY area, observed_at"""  # noqa: S608


def area_from_raw(source: str, where: str, every: timedelta, offset: timedelta) -> str:
    """The same from raw rows, for buckets that are no whole hours."""
    return f"""
    WITH winners AS ({current_rows(source, where)})
    SELECT area, {bucket_sql("observed_at", every, offset)} AS observed_at, avg(value) AS mean, min(value) AS min,
           max(value) AS max, sum(value) AS sum, count(*) AS n, count(DISTINCT entity) AS entities
    FROM winners JOIN areas USING (entity) WHERE {GOOD} GROUP BY ALL ORDER BY area, observed_at"""  # noqa: S608


def quality_counts(source: str, flags: dict[str, int]) -> str:
    """Winning rows of [$start, $end) per entity and property, with one count per flag."""
    counts = ", ".join(f"count(*) FILTER (quality & {bit} <> 0) AS {name}" for name, bit in flags.items())
    rows = current_rows(source, "observed_at >= $start AND observed_at < $end")
    return f"""
    SELECT entity, property, count(*) AS rows, count(*) FILTER (quality = 0) AS good, {counts}
    FROM ({rows}) GROUP BY entity, property ORDER BY entity, property"""  # noqa: S608
