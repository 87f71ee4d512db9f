"""DuckDB as the lake's reader: one connection per lake, one cursor per question, answers as Polars frames.

Files are named one by one (`read_parquet([...])`) from the Delta log; DuckDB never opens the Delta table itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

SqlValue = str | int | float | datetime | Sequence[str] | None


class Engine:
    """Runs questions; safe to use from several threads."""

    def __init__(self, spill: Path) -> None:
        """`spill` is where DuckDB puts what does not fit in memory; it makes and empties the folder itself."""
        self._connection = duckdb.connect(":memory:", config={"temp_directory": str(spill)})
        self._connection.execute("SET autoinstall_known_extensions = false")

    def ask(
        self,
        sql: str,
        schema: Mapping[str, pl.DataType],
        values: Mapping[str, SqlValue] | None = None,
        frames: Mapping[str, pl.DataFrame] | None = None,
    ) -> pl.DataFrame:
        """The answer with exactly the columns and types of `schema`."""
        cursor = self._connection.cursor()
        try:
            cursor.execute("SET TimeZone = 'UTC'")
            for name, frame in (frames or {}).items():
                cursor.register(name, frame)
            used: dict[str, Any] = {key: value for key, value in (values or {}).items() if f"${key}" in sql}
            answer = pl.from_arrow(cursor.sql(sql, params=used).to_arrow_table())
        finally:
            cursor.close()
        if not isinstance(answer, pl.DataFrame):  # from_arrow types a table as frame or series
            raise TypeError("DuckDB answered no table")
        return answer.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def scan(files: Sequence[str], schema: Mapping[str, pl.DataType], name: str = "files") -> str:
    """What to write after FROM for these files; no files read as an empty table of the same columns."""
    if files:
        return f"read_parquet(${name}, union_by_name = true)"
    columns = ", ".join(f"NULL::{_SQL_TYPES[dtype]} AS {column}" for column, dtype in schema.items())
    return f"(SELECT {columns} WHERE false)"


_SQL_TYPES: dict[pl.DataType, str] = {
    pl.String(): "VARCHAR",
    pl.Float64(): "DOUBLE",
    pl.Int64(): "BIGINT",
    pl.Int32(): "INTEGER",
    pl.Datetime("us", "UTC"): "TIMESTAMPTZ",
}
