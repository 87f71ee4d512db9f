"""One Delta table in a folder: open or make it, append once per (app, version), list the files a reader needs.

Delta accepts a transaction version lower than the last one silently, so the comparison is ours. Statistics of a file
hold its extremes cut to milliseconds: pruning by time leaves that much slack.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.schema import PrimitiveType

from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.lake.shapes import LakeBusy

_SLACK = timedelta(milliseconds=2)
_WRITER = WriterProperties(compression="ZSTD", compression_level=1)
_DELTA_TYPES: dict[pl.DataType, str] = {
    pl.String(): "string",
    pl.Float64(): "double",
    pl.Int64(): "long",
    pl.Int32(): "integer",
    UTC_US: "timestamp",
}
_FILE_COLUMNS = ["path", "num_records"]


class Table:
    """A Delta table partitioned by `month` (and perhaps more); `time` is the column that readers prune by."""

    def __init__(self, folder: Path, schema: dict[str, pl.DataType], partitions: list[str], time: str) -> None:
        self.folder = folder
        self.schema = schema
        self.time = time
        self._partitions = partitions
        self._lock = threading.RLock()
        self._table: DeltaTable | None = None
        self._listed: tuple[int, pl.DataFrame] | None = None

    # -- reading ---------------------------------------------------------------------------------------------------

    def refresh(self) -> DeltaTable | None:
        """The table at its newest version; None while nobody has written to it."""
        with self._lock:
            if self._table is None:
                self._table = self._opened()
            else:
                self._table.update_incremental()
            return self._table

    def version(self) -> int:
        """The newest version; -1 while there is no table."""
        table = self.refresh()
        return table.version() if table else -1

    def committed(self, app: str) -> int:
        """The last version that `app` committed here; -1 when none."""
        table = self.refresh()
        last = table.transaction_version(app) if table else None
        return -1 if last is None else last

    def listing(self) -> tuple[int, pl.DataFrame]:
        """(version, one row per live file with its partition values and the extremes of its time column)."""
        with self._lock:
            table = self.refresh()
            if table is None:
                return -1, pl.DataFrame(schema={"path": pl.String})
            if self._listed is None or self._listed[0] != table.version():
                files = pl.DataFrame(table.get_add_actions(flatten=True))
                wanted = [*_FILE_COLUMNS, *(f"partition.{name}" for name in self._partitions)]
                extremes = [f"{edge}.{self.time}" for edge in ("min", "max")]
                missing = [pl.lit(None, pl.Datetime("us", "UTC")).alias(x) for x in extremes if x not in files.columns]
                self._listed = (table.version(), files.with_columns(missing).select(*wanted, *extremes))
            return self._listed

    def files(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        listing: pl.DataFrame | None = None,
        **partition: str,
    ) -> list[str]:
        """Paths of the files that may hold rows of [start, end) and have these partition values."""
        found = self.listing()[1] if listing is None else listing
        for name, value in partition.items():
            if f"partition.{name}" in found.columns:
                found = found.filter(pl.col(f"partition.{name}") == value)
        if start is not None and f"max.{self.time}" in found.columns:
            found = found.filter((pl.col(f"max.{self.time}") >= start - _SLACK).fill_null(True))
        if end is not None and f"min.{self.time}" in found.columns:
            found = found.filter((pl.col(f"min.{self.time}") < end + _SLACK).fill_null(True))
        return [str(self.folder / unquote(path)) for path in found["path"]]

    def files_added(self, after: int, upto: int) -> list[str] | None:
        """Files that commits in (after, upto] brought new data in; None when the log no longer tells.

        Compaction rewrites rows that were there before (`dataChange` false) and does not count.
        """
        found: list[str] = []
        for version in range(after + 1, upto + 1):
            entry = self.folder / "_delta_log" / f"{version:020}.json"
            if not entry.exists():
                return None
            for line in entry.read_bytes().splitlines():
                if line.startswith(b'{"add"') and (add := json.loads(line)["add"])["dataChange"]:
                    found.append(str(self.folder / unquote(add["path"])))
        return found if all(Path(path).exists() for path in found) else None

    # -- writing ---------------------------------------------------------------------------------------------------
    # Every writer opens the table anew (a few milliseconds): readers in other threads never wait for a commit or a
    # compaction, and a handle is never used by two threads.

    def append(self, frame: pl.DataFrame, app: str | None = None, version: int = 0) -> bool:
        """Add rows once per (app, version). The frame holds the schema and the partition columns."""
        if app is not None and version <= self.committed(app):
            return False
        marks = [] if app is None else [Transaction(app, version)]
        try:
            write_deltalake(
                self._made(frame),
                frame,
                mode="append",
                writer_properties=_WRITER,
                commit_properties=CommitProperties(app_transactions=marks),
            )
        except CommitFailedError as problem:
            # Another process committed under our app name between the comparison and now: it wins.
            if app is not None and version <= self.committed(app):
                return False
            raise LakeBusy(table=self.folder.name, problem=str(problem)) from problem
        return True

    def replace(self, frame: pl.DataFrame, predicate: str) -> None:
        """Put the rows in place of all that the predicate holds for, in one commit."""
        try:
            write_deltalake(self._made(frame), frame, mode="overwrite", predicate=predicate, writer_properties=_WRITER)
        except CommitFailedError as problem:
            raise LakeBusy(table=self.folder.name, problem=str(problem)) from problem

    def delete(self, predicate: str, app: str | None = None, version: int = 0) -> int:
        """Delete rows, and leave a mark for later readers of the log where one is given; the number of rows."""
        if (table := self._opened()) is None:
            return 0
        marks = [] if app is None else [Transaction(app, version)]
        try:
            told = table.delete(predicate, commit_properties=CommitProperties(app_transactions=marks))
        except CommitFailedError as problem:
            raise LakeBusy(table=self.folder.name, problem=str(problem)) from problem
        return int(told.get("num_deleted_rows") or 0)

    def compact(self) -> None:
        """Merge the small files of each partition."""
        if table := self._opened():
            table.optimize.compact(writer_properties=_WRITER)

    def vacuum(self, keep: timedelta) -> int:
        """Delete files that no version of the last `keep` used."""
        if (table := self._opened()) is None:
            return 0
        return len(table.vacuum(keep // timedelta(hours=1), dry_run=False, enforce_retention_duration=False))

    def _opened(self) -> DeltaTable | None:
        try:
            return DeltaTable(self.folder)
        except TableNotFoundError:
            return None

    def _made(self, frame: pl.DataFrame) -> DeltaTable:
        return self._opened() or DeltaTable.create(
            self.folder,
            schema=_delta_schema(frame.columns, self.schema),
            mode="ignore",
            partition_by=self._partitions,
            configuration={
                "delta.deletedFileRetentionDuration": "interval 7 days",
                "delta.dataSkippingStatsColumns": ",".join(_statistics(self.time, frame.columns)),
            },
        )


def _statistics(time: str, columns: Iterable[str]) -> list[str]:
    return [name for name in ("entity", "property", time) if name in columns]


def _delta_schema(columns: Iterable[str], schema: dict[str, pl.DataType]) -> Schema:
    """The table's columns in Delta's words; partition columns are text."""
    return Schema([Field(name, PrimitiveType(_DELTA_TYPES[schema.get(name, pl.String())])) for name in columns])
