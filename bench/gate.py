"""The drain gate: every acknowledged reading must be in the lake, once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from bench.register import SENDS

#: What the fleet sends, with the flags that are no numbers with a range.
PROPERTIES = sorted({word.partition(":")[0].partition("=")[0] for words in SENDS.values() for word in words})


@dataclass(frozen=True)
class Drained:
    """What the lake has of a load. `seconds`: from the last acknowledgement until it had everything."""

    rows: int
    distinct: int
    seconds: float
    complete: bool


def count(lake: Path, since_ms: int, distinct: bool = False) -> int:
    """Rows of the fleet's readings since a moment, or their different identities."""
    try:
        files = DeltaTable(lake / "observations").file_uris()
    except TableNotFoundError:
        return 0
    if not files:
        return 0
    what = "count(*)"
    if distinct:
        what = "count(DISTINCT (entity, property, observed_at, source))"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        row = connection.execute(
            f"SELECT {what} FROM read_parquet($1) WHERE entity LIKE 'b%' AND list_contains($2, property)"
            " AND epoch_ms(observed_at) >= $3",
            [files, PROPERTIES, since_ms],
        ).fetchone()
    return int(row[0]) if row else 0


def drain(lake: Path, since_ms: int, wanted: int, seconds: float) -> Drained:
    """Waits until the lake has `wanted` readings, or until the time is over."""
    began = time.monotonic()
    while True:
        rows = count(lake, since_ms)
        waited = time.monotonic() - began
        if rows >= wanted or waited > seconds:
            break
        time.sleep(0.5)
    distinct = count(lake, since_ms, distinct=True)
    return Drained(rows, distinct, waited, distinct >= wanted)
