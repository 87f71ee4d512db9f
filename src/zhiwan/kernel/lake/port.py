"""The port: what the rest of Zhiwan may ask of a lake. Two implementations pass one contract (tests/contract/lake)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol

import polars as pl

Aggregate = Literal["mean", "min", "max", "sum", "count", "first", "last"]


class LakePort(Protocol):
    """One writer per app name, any number of readers. Spans are [start, end); times are aware datetimes."""

    def append(self, frame: pl.DataFrame, app: str, version: int) -> bool:
        """Keep observations once: False (and nothing happens) when `app` has already committed this version or a later.

        Of a newer version, rows with 0 < seq <= the committed version are dropped too, so that a stream redelivered in
        other batches after a crash is still kept exactly once. An empty frame commits nothing.
        """
        ...

    def import_history(self, frame: pl.DataFrame, app: str, version: int) -> bool:
        """The same for imported rows; they lie in the same table (seq is 0, version counts the chunks)."""
        ...

    def committed(self, app: str) -> int:
        """The last version this app has committed; -1 when it never did."""
        ...

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
        """HISTORY_SCHEMA in time order. Without `every` the readings themselves, flagged ones included.

        `sources` in order of preference: of several sources at one instant only the best is taken, others not at all;
        without it every source's readings are answered (and aggregated).
        """
        ...

    def rows(
        self, entity: str, property: str, start: datetime, end: datetime, as_of: datetime | None = None
    ) -> pl.DataFrame:
        """Every kept row, corrected ones too, with quality, source, recorded_at (OBSERVATION_SCHEMA)."""
        ...

    def current(
        self, pairs: pl.DataFrame, start: datetime, end: datetime, as_of: datetime | None = None
    ) -> pl.DataFrame:
        """The winning row of each identity of many (entity, property) pairs at once (OBSERVATION_SCHEMA)."""
        ...

    def extent(self, properties: Sequence[str]) -> tuple[datetime, datetime] | None:
        """From when to when there are rows of any of these properties; None where there are none."""
        ...

    def seen(self, identities: pl.DataFrame) -> pl.DataFrame:
        """Of the given identities, the winning rows of those that the lake has (OBSERVATION_SCHEMA)."""
        ...

    def roll_up(self) -> int:
        """Bring hourly and daily roll-ups up to the raw rows; the number of hourly buckets recomputed."""
        ...

    def hourly(self, entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Hourly roll-up rows (ROLLUP_SCHEMA without `rolled`), equal to the raw rows of this moment."""
        ...

    def daily(self, entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Daily roll-up rows; days begin at local midnight."""
        ...

    def by_area(
        self, property: str, start: datetime, end: datetime, every: timedelta, areas: pl.DataFrame
    ) -> pl.DataFrame:
        """AREA_SCHEMA for a frame (entity, area); an entity may lie in several areas."""
        ...

    def quality_counts(self, start: datetime, end: datetime) -> pl.DataFrame:
        """entity, property, rows, good and one count per flag (range, frozen, gap, skew, late, correction)."""
        ...

    def append_indicators(self, frame: pl.DataFrame, app: str = "indicators", version: int | None = None) -> bool:
        """Keep figures of vital signs; idempotent like `append` when a version is given."""
        ...

    def indicator_history(self, indicator: str, area: str, start: datetime, end: datetime) -> pl.DataFrame:
        """INDICATOR_SCHEMA in time order; of two figures for one instant the later kept wins."""
        ...

    def compact(self) -> None:
        """Merge small files; answers of every reader stay the same."""
        ...

    def retain(self, before: datetime) -> int:
        """Forget raw rows of whole months that ended before; roll-ups stay. The number of months forgotten."""
        ...

    def erase(self, entities: Sequence[str], property: str) -> int:
        """Forget all that was ever kept of this property of these entities: rows, figures, and the files that held
        them. The number of rows. A reader in the middle of these very files may have to ask again."""
        ...

    def vacuum(self, keep: timedelta = ...) -> int:
        """Delete files that no table has used for `keep`; the number of files."""
        ...
