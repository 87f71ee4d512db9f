"""The recent readings of one property of one type: newest value per entity, and a bounded memory of arrivals.

Columns, not objects: 20,000 readings are one append. Arrivals are kept in chunks that are merged eight at a time until
they are large, and let go once all they hold is too old: what must be written after a batch is about the batch, not
the memory (a log-structured merge tree in small).

What is remembered of a series is a function of its arrivals alone, however they were cut into batches: those that are
no older than `horizon` before the newest, and the newest. CAP only guards the memory against a device gone mad: beyond
so many readings within the horizon the oldest are forgotten early.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from zhiwan.kernel.judge.world import Instants, Numbers

Slots = npt.NDArray[np.int64]
CAP = 4_000
MERGE = 8
LARGE = 50_000  # rows of a chunk that is not merged further
NEVER = -(2**62)
UNKNOWN = -1


class _Body(msgspec.Struct):
    """One chunk as stored: entity ids once, then three packed columns."""

    level: int
    ids: list[str]
    slots: bytes
    at: bytes
    values: bytes
    reach: int = UNKNOWN


@dataclass(eq=False)
class Chunk:
    """Some arrivals in their order: slot, at (µs), value."""

    number: int
    level: int
    frame: pl.DataFrame
    newest: int  # µs


class Series:
    """Memory of one group. A slot is an entity's place in the arrays; JudgeState owns the numbering."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self.reach = 0  # how far back it was remembered so far: less than `horizon` after a rule began to ask for more
        self.head_at: Instants = np.empty(0, dtype=np.int64)
        self.head_value: Numbers = np.empty(0, dtype=np.float64)
        self.chunks: list[Chunk] = []
        self.next_number = 0
        self.unsaved: set[int] = set()  # chunk numbers not stored yet
        self.dropped: set[int] = set()  # chunk numbers to remove from the store
        self.stored: set[int] = set()  # chunk numbers the store has

    def grow(self, slots: int) -> None:
        """Room for this many entities."""
        missing = slots - len(self.head_at)
        if missing > 0:
            self.head_at = np.concatenate([self.head_at, np.full(missing, NEVER, dtype=np.int64)])
            self.head_value = np.concatenate([self.head_value, np.full(missing, np.nan)])

    def append(self, slots: Slots, at: Instants, values: Numbers) -> None:
        """Readings in the order of their arrival."""
        if len(slots) == 0:
            return
        self._lead(slots, at, values)
        frame = pl.DataFrame({"slot": slots, "at": at, "value": values})
        self._add(Chunk(self.next_number, 0, frame, int(at.max())))
        self._merge()
        self._expire()

    def _lead(self, slots: Slots, at: Instants, values: Numbers) -> None:
        order = np.lexsort((at, slots))  # stable: of two arrivals for one instant the later one is last
        ordered = slots[order]
        last = np.append(ordered[1:] != ordered[:-1], True)
        newest = order[last]
        newer = newest[at[newest] >= self.head_at[slots[newest]]]
        self.head_at[slots[newer]] = at[newer]
        self.head_value[slots[newer]] = values[newer]

    def recall(self, slots: Slots, at: Instants, values: Numbers) -> None:
        """Readings that nothing asked for when they came, from the lake; what is remembered of an instant holds."""
        given = pl.DataFrame({"slot": slots, "at": at, "value": values}).sort("at", maintain_order=True)
        known = [chunk.frame for chunk in self.chunks]
        if known:
            given = given.join(pl.concat(known), on=["slot", "at"], how="anti", maintain_order="left")
        if given.height:
            self._lead(given["slot"].to_numpy(), given["at"].to_numpy(), given["value"].to_numpy())
            for chunk in list(self.chunks):
                self._drop(chunk)
            whole = pl.concat([given, *known])
            # As large as it is, it is no part of the merging of small chunks.
            self._add(Chunk(self.next_number, MERGE, whole, int(whole["at"].to_numpy().max())))
        self.reach = self.horizon

    def _add(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.unsaved.add(chunk.number)
        self.next_number = chunk.number + 1

    def _merge(self) -> None:
        while len(self.chunks) >= MERGE:
            last = self.chunks[-MERGE:]
            if len({chunk.level for chunk in last}) > 1 or sum(chunk.frame.height for chunk in last) > LARGE:
                return
            for chunk in last:
                self._drop(chunk)
            frame = self._remembered(pl.concat([chunk.frame for chunk in last]))
            # It was last, so a new number keeps the order of arrival.
            self._add(Chunk(self.next_number, last[0].level + 1, frame, max(chunk.newest for chunk in last)))

    def _expire(self) -> None:
        """Lets go of the oldest chunk once only the newest values of silent entities are left in it."""
        oldest = int(self.head_at.max()) - self.horizon
        while len(self.chunks) > 1 and self.chunks[0].newest < oldest:
            gone, after = self.chunks[0], self.chunks[1]
            self._drop(gone)
            after.frame = pl.concat([self._remembered(gone.frame), self._remembered(after.frame)])
            self.unsaved.add(after.number)

    def _drop(self, chunk: Chunk) -> None:
        self.chunks.remove(chunk)
        self.unsaved.discard(chunk.number)
        if chunk.number in self.stored:
            self.dropped.add(chunk.number)

    def _remembered(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Without what can never be asked for again."""
        head = self.head_at[frame["slot"].to_numpy()]
        at = frame["at"].to_numpy()
        frame = frame.filter(pl.Series(at >= head - self.horizon))
        if frame.height <= CAP:
            return frame
        rank = pl.int_range(pl.len(), 0, -1).over("slot")
        newest = pl.Series(frame["at"].to_numpy() == self.head_at[frame["slot"].to_numpy()])
        return frame.filter((rank <= CAP) | newest)

    def arrivals(self, slots: Slots, after: int = NEVER) -> pl.DataFrame:
        """What is remembered of these entities later than `after`, in the order of arrival: slot, at, value."""
        chunks = [chunk for chunk in self.chunks if chunk.newest > after]
        if not chunks or len(slots) == 0:
            return pl.DataFrame(schema={"slot": pl.Int64(), "at": pl.Int64(), "value": pl.Float64()})
        wanted = np.zeros(len(self.head_at), dtype=bool)
        wanted[slots] = True
        parts = []
        for chunk in chunks:
            mask = wanted[chunk.frame["slot"].to_numpy()]
            if after > NEVER:
                mask &= chunk.frame["at"].to_numpy() > after
            parts.append(chunk.frame.filter(pl.Series(mask)))
        return self._remembered(pl.concat(parts))

    def by_slot(self, slots: Slots) -> dict[int, list[tuple[int, float]]]:
        """The same as lists of (at, value), for reading one by one."""
        found: dict[int, list[tuple[int, float]]] = {}
        for slot, at, value in self.arrivals(slots).iter_rows():
            found.setdefault(slot, []).append((at, value))
        return found

    # Storing

    def encode(self, number: int, ids: list[str]) -> bytes:
        """A chunk as bytes, with entity ids instead of slots."""
        chunk = next(chunk for chunk in self.chunks if chunk.number == number)
        slots, places = np.unique(chunk.frame["slot"].to_numpy(), return_inverse=True)
        body = _Body(
            chunk.level,
            [ids[slot] for slot in slots],
            places.astype("<u4").tobytes(),
            chunk.frame["at"].to_numpy().astype("<i8").tobytes(),
            chunk.frame["value"].to_numpy().astype("<f8").tobytes(),
            self.reach,
        )
        packed = msgspec.msgpack.encode(body)
        # A small chunk is merged into a larger one within seconds: packing it would be paid for nothing.
        return zlib.compress(packed, 1) if chunk.level else packed

    def decode(self, number: int, body: bytes, slot_of: dict[str, int]) -> None:
        """Takes a stored chunk back. Chunks must come in the order of their numbers."""
        stored = _stored(body)
        slots = np.array([slot_of[id] for id in stored.ids], dtype=np.int64)[np.frombuffer(stored.slots, "<u4")]
        at = np.frombuffer(stored.at, "<i8").astype(np.int64)
        values = np.frombuffer(stored.values, "<f8").astype(np.float64)
        self.grow(len(slot_of))
        self._lead(slots, at, values)
        frame = pl.DataFrame({"slot": slots, "at": at, "value": values})
        self.chunks.append(Chunk(number, stored.level, frame, int(at.max())))
        self.stored.add(number)
        self.next_number = number + 1
        self.reach = max(self.reach, stored.reach) if self.reach > 0 else stored.reach

    def mark_saved(self) -> None:
        """The store has taken the unsaved chunks and removed the dropped ones."""
        self.stored = (self.stored | self.unsaved) - self.dropped
        self.unsaved.clear()
        self.dropped.clear()


def stored_ids(body: bytes) -> list[str]:
    """The entities a stored chunk speaks of."""
    return _stored(body).ids


def _stored(body: bytes) -> _Body:
    # The first byte of msgpack's map of five is 0x85, that of zlib 0x78.
    packed = zlib.decompress(body) if body[:1] == b"\x78" else body
    return msgspec.msgpack.decode(packed, type=_Body)
