"""What intake remembers between batches: the newest time, value and its run of each property, and recent identities.

The newest time, value and run are saved (`changed`, `mark_saved`, `load`), like the judge's state, in blocks of
columns: a row a device would cost the store more than all else of a batch. Recent identities are not saved: whatever
is not among them is asked of the lake. So they must reach back further than the lake lags behind; after a restart the
worker gives what the lake has not yet got with `recall`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NAMES, BLOCK = "names", "block"
CLOCK = "clock"
#: Slots of one saved block: large enough that a busy district is some tens of rows, small enough that a quiet one
#: does not rewrite all of them for a few values.
BLOCK_SLOTS = 512
NEVER = np.iinfo(np.int64).min
#: Identities kept in memory, at about 40 bytes each.
RECENT = 1_000_000
_MERGE_AT = 64
_RECENT_SCHEMA: dict[str, pl.DataType] = {
    "slot": pl.Int64(), "at": pl.Int64(), "source": pl.String(), "prior": pl.Float64(),
}  # fmt: skip
_SLOT_SCHEMA: dict[str, pl.DataType] = {"entity": pl.String(), "property": pl.String(), "slot": pl.Int64()}


class StateRow(NamedTuple):
    """One row of memory for the store; body None: forget it."""

    kind: str
    key: str
    body: bytes | None


class SavedRow(Protocol):
    """A row as the store gives it back."""

    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def body(self) -> bytes | None: ...


class IntakeMemory:
    """Columns indexed by slot; every (entity, property) has one."""

    def __init__(self, recent: int = RECENT) -> None:
        self.newest: Ints = np.empty(0, np.int64)  # time of the newest value, µs
        self.value: Floats = np.empty(0, np.float64)  # that value
        self.since: Ints = np.empty(0, np.int64)  # time of the first of the run of equal values it ends
        self.clock: int = NEVER  # latest time of recording, µs: it never goes back
        self._saved_clock = NEVER
        self._slots = pl.DataFrame(schema=_SLOT_SCHEMA)
        self._touched: list[Ints] = []
        self._named = 0  # slots whose names are saved
        self._recent: list[pl.DataFrame] = []
        self._most_recent = recent

    # -- slots -----------------------------------------------------------------------------------------------------

    def slots(self, pairs: pl.DataFrame) -> Ints:
        """The slot of each row's (entity, property); new pairs get new ones in order of appearance."""
        key = ["entity", "property"]
        found = pairs.select(key).join(self._slots, on=key, how="left", maintain_order="left")["slot"]
        if found.null_count():
            new = pairs.select(key).filter(found.is_null()).unique(maintain_order=True)
            self._add_slots(new)
            found = pairs.select(key).join(self._slots, on=key, how="left", maintain_order="left")["slot"]
        return found.to_numpy()

    def _add_slots(self, pairs: pl.DataFrame) -> None:
        first, count = self._slots.height, pairs.height
        numbers = pl.Series("slot", range(first, first + count), dtype=pl.Int64)
        self._slots = pl.concat([self._slots, pairs.with_columns(numbers)], rechunk=True)
        self.newest = np.concatenate([self.newest, np.full(count, NEVER)])
        self.value = np.concatenate([self.value, np.full(count, np.nan)])
        self.since = np.concatenate([self.since, np.full(count, NEVER)])

    def update(self, slots: Ints, newest: Ints, value: Floats, since: Ints) -> None:
        """The state of these slots after a batch."""
        self.newest[slots], self.value[slots], self.since[slots] = newest, value, since
        self._touched.append(slots)

    # -- recent identities -----------------------------------------------------------------------------------------

    def remember(self, accepted: pl.DataFrame) -> None:
        """Identities (slot, at, source) just accepted with their value (prior), in order of acceptance."""
        self._recent.append(accepted.select(pl.col(name).cast(dtype) for name, dtype in _RECENT_SCHEMA.items()))
        if len(self._recent) > _MERGE_AT:
            self._recent = [pl.concat(self._recent, rechunk=True).tail(self._most_recent)]

    def recalled(self, identities: pl.DataFrame) -> pl.DataFrame:
        """(slot, at, source, prior) of those identities that are remembered, each with its last accepted value."""
        key = ["slot", "at", "source"]
        wanted = identities.select(key).unique()
        found = [part.join(wanted, on=key, how="semi", maintain_order="left") for part in self._recent]
        return pl.concat([pl.DataFrame(schema=_RECENT_SCHEMA), *found]).unique(key, keep="last", maintain_order=True)

    def recall(self, observations: pl.DataFrame) -> None:
        """After a restart: observations that were accepted but that the lake may not have yet."""
        at = pl.col("observed_at").dt.epoch("us").alias("at")
        slots = pl.Series("slot", self.slots(observations), dtype=pl.Int64)
        self.remember(observations.with_columns(at, slots, pl.col("value").alias("prior")))

    # -- saving ----------------------------------------------------------------------------------------------------

    def changed(self, *, whole: bool = True) -> list[StateRow]:
        """Rows that changed since they were last marked as saved; without `whole` the clock alone."""
        rows: list[StateRow] = []
        if self.clock != self._saved_clock:
            rows.append(StateRow(CLOCK, CLOCK, msgspec.msgpack.encode(self.clock)))
        if whole:
            first_unnamed = self._named // BLOCK_SLOTS if self._named < self._slots.height else None
            if first_unnamed is not None:
                last = (self._slots.height - 1) // BLOCK_SLOTS
                rows += [self._names_row(block) for block in range(first_unnamed, last + 1)]
            if self._touched:
                blocks = np.unique(np.concatenate(self._touched) // BLOCK_SLOTS)
                rows += [self._block_row(block) for block in blocks.tolist()]
        return rows

    def mark_saved(self, *, whole: bool = True) -> None:
        """The rows of `changed` are committed."""
        self._saved_clock = self.clock
        if whole:
            self._touched.clear()
            self._named = self._slots.height

    @classmethod
    def load(cls, rows: Iterable[SavedRow], recent: int = RECENT) -> IntakeMemory:
        """Memory as it was saved; rows of other kinds are left alone."""
        memory = cls(recent)
        names: dict[int, _Names] = {}
        blocks: dict[int, _Block] = {}
        for row in rows:
            if row.body is None:
                continue
            if row.kind == CLOCK:
                memory.clock = memory._saved_clock = msgspec.msgpack.decode(row.body, type=int)
            elif row.kind == NAMES:
                names[int(row.key)] = msgspec.msgpack.decode(row.body, type=_Names)
            elif row.kind == BLOCK:
                blocks[int(row.key)] = msgspec.msgpack.decode(row.body, type=_Block)
        for number in sorted(names):
            found = names[number]
            pairs = {"entity": found.entities, "property": found.properties}
            memory._add_slots(pl.DataFrame(pairs, schema={key: pl.String() for key in pairs}))
        for number, block in blocks.items():
            span = slice(number * BLOCK_SLOTS, number * BLOCK_SLOTS + len(block.newest) // 8)
            memory.newest[span] = np.frombuffer(block.newest, "<i8")
            memory.value[span] = np.frombuffer(block.value, "<f8")
            memory.since[span] = np.frombuffer(block.since, "<i8")
        memory._named = memory._slots.height
        return memory

    def _names_row(self, block: int) -> StateRow:
        here = self._slots.slice(block * BLOCK_SLOTS, BLOCK_SLOTS)
        body = _Names(here["entity"].to_list(), here["property"].to_list())
        return StateRow(NAMES, _key(block), msgspec.msgpack.encode(body))

    def _block_row(self, block: int) -> StateRow:
        span = slice(block * BLOCK_SLOTS, (block + 1) * BLOCK_SLOTS)
        columns = (self.newest[span].astype("<i8"), self.value[span].astype("<f8"), self.since[span].astype("<i8"))
        body = _Block(*(column.tobytes() for column in columns))
        return StateRow(BLOCK, _key(block), msgspec.msgpack.encode(body))


class _Names(msgspec.Struct):
    """Which (entity, property) each slot of a block is."""

    entities: list[str]
    properties: list[str]


class _Block(msgspec.Struct):
    """The columns of a block, little-endian."""

    newest: bytes
    value: bytes
    since: bytes


def _key(block: int) -> str:
    return f"{block:06d}"
