"""The way of one batch, and the promise it keeps: any split into batches and any crash point give the same lake and
the same alarms.

How: a batch changes memory, then one transaction writes everything that follows from it (cursor, alarms with the state
of their rules, lake rows in the outbox). Before that commit nothing has happened; after it everything has, and what is
left (acknowledge, lake, hints) may be repeated. After *any* failure the whole pipeline is thrown away and opened anew
from what is committed: a crash and an error take the same path.

What follows from the kept readings alone (latest values, newest readings of intake, series of the judge) is written in
such a commit about once a second, a checkpoint; in a quiet city with every batch. A pipeline that is opened takes the
last checkpoint and remembers the outbox's parcels after it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from zhiwan.kernel.bus.messages import READER, Message
from zhiwan.kernel.bus.port import Bus, StreamReader
from zhiwan.kernel.facts.observations import empty_observations
from zhiwan.kernel.facts.spaces import SpaceClock
from zhiwan.kernel.judge import DERIVED_SOURCE, AlarmEvent, Judgement, JudgeState, StateRow, judge, remember, tick
from zhiwan.kernel.sense import IntakeMemory, SetAside, remember_again
from zhiwan.run.worker.brain import Brain
from zhiwan.run.worker.lake_follower import LakeFollower
from zhiwan.run.worker.outbox import CHECKPOINT, KIND, Parcel, app_name, lake_rows

log = logging.getLogger(__name__)

CLOCK = "clock"  # the ticker's rounds are committed like a stream of their own
CHECKPOINT_SECONDS = 1.0
#: So few rows since the last checkpoint are written with their batch: pages of a quiet city are never a second behind.
FEW_ROWS = 2_000


class Row(Protocol):
    """A row of remembered state; body None: forget it."""

    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def body(self) -> bytes | None: ...


@dataclass(frozen=True)
class Cursor:
    """How far a stream is committed; of another `created` it is another stream."""

    created: str
    seq: int


@dataclass(frozen=True)
class Remembered:
    """What is committed: where a pipeline begins."""

    cursors: dict[str, Cursor]
    judge_rows: Sequence[StateRow]
    intake_rows: Sequence[Row]
    parcels: Sequence[Parcel]


@dataclass(frozen=True)
class Work:
    """Everything that follows from one batch, to be committed as a whole."""

    stream: str
    created: str
    seq: int
    now: datetime
    kept: pl.DataFrame  # observations and what was derived of them: what the lake gets
    events: Sequence[AlarmEvent]
    latest: pl.DataFrame | None = None  # with a checkpoint: rows since the last one, for the latest values
    judge_rows: Sequence[StateRow] = ()
    intake_rows: Sequence[Row] = ()
    set_aside: Sequence[SetAside] = ()
    counts: dict[Any, int] = field(default_factory=dict)
    released: Sequence[str] = ()


class Store(Protocol):
    """The transaction of a batch. PostgreSQL in life, memory in tests."""

    def load(self) -> Remembered:
        """What is committed."""
        ...

    def commit(self, work: Work) -> Any:
        """All of it or nothing; a second commit of the same (stream, seq) changes nothing. Returns live hints."""
        ...

    def releases(self) -> Sequence[str]:
        """Latched alarms that a person has acknowledged."""
        ...

    def announce(self, changes: Any) -> None:
        """Hint to open pages; may fail silently."""
        ...


class NotProcessed(Exception):
    """A batch that could not be judged: a fault of ours or of a pack, met on these messages."""

    def __init__(self, messages: Sequence[Message], problem: Exception) -> None:
        self.messages = messages
        self.problem = problem
        super().__init__(f"{len(messages)} messages of {messages[0].stream}: {type(problem).__name__}: {problem}")


class Pipeline:
    """One opened pipeline. Throw it away after any exception."""

    def __init__(
        self,
        *,
        bus: Bus,
        store: Store,
        follower: LakeFollower,
        brain: Brain,
        streams: Iterable[str],
        poison: frozenset[tuple[str, int]] = frozenset(),
        reader: str = READER,
        clock: SpaceClock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        few_rows: int = FEW_ROWS,
    ) -> None:
        """`reader` names our reader of each stream; `clock` is that of our space, live without one."""
        remembered = store.load()
        self._store = store
        self._follower = follower
        self._poison = poison
        self.brain = brain
        self.clock = clock
        self._monotonic = monotonic
        self._few_rows = few_rows
        self._checkpointed_at = monotonic()
        self._unsaved: list[pl.DataFrame] = []  # rows since the last checkpoint
        self.judging = JudgeState.load(remembered.judge_rows)
        self.memory = IntakeMemory.load(remembered.intake_rows)
        self._take_up(remembered)
        self._cursors = dict(remembered.cursors)
        self.judge_problems = 0
        self._read: dict[str, datetime] = {}  # up to which moment each stream is read
        self._readers: dict[str, StreamReader] = {stream: bus.open_reader(stream, reader) for stream in streams}

    def _take_up(self, remembered: Remembered) -> None:
        """Give the lake what it may not have, and remember again what came after the last checkpoint."""
        saved = max((int(row.body or 0) for row in remembered.judge_rows if row.kind == CHECKPOINT), default=0)
        self._number = max([saved, *(parcel.number for parcel in remembered.parcels)])
        for parcel in remembered.parcels:
            # The lake may not have these yet, so intake could not find them there as already seen.
            self.memory.recall(parcel.frame)
            self._follower.add(parcel)
            if parcel.number > saved:
                remember_again(parcel.frame.filter(~pl.col("source").str.starts_with(DERIVED_SOURCE)), self.memory)
                remember(self.brain.book, self.brain.world, self.judging, parcel.frame)
                self._unsaved.append(parcel.frame)

    def step(self, stream: str, most: int, wait: float, clock: Callable[[], datetime]) -> int:
        """Take one batch of a stream all the way; the number of messages pulled."""
        reader = self._readers[stream]
        asked = clock()
        messages = reader.pull(most, wait)
        self._read[stream] = asked
        if not messages:
            return 0
        if len(messages) >= most:  # more waits behind it
            last = messages[-1].received_at
            self._read[stream] = min(asked, last if self.clock is None else self.clock.at(last))
        created = reader.created.isoformat()
        done = self._committed(stream, created)
        fresh = [message for message in messages if message.seq > done]
        if fresh and self.clock is not None:
            # Everything of a space is told in its own time, and that follows from the time of storing alone.
            fresh = [replace(message, received_at=self.clock.at(message.received_at)) for message in fresh]
        if fresh:
            self._commit(self._process(stream, created, fresh, clock()))
        reader.ack(messages[-1].seq)
        return len(messages)

    def tick(self, now: datetime) -> None:
        """What follows from time alone: absent values, durations that ripen, releases by people.

        Time passes no faster than the streams are read: after a pause, what seems to be missing waits in them.
        """
        now = min(now, *self._read.values()) if self._read else now
        released = self._store.releases()
        for alarm in released:
            self.judging.release(alarm)
        judgement = tick(self.brain.book, self.brain.world, self.judging, now)
        self._note_problems(judgement)
        told = self.judging.has_changed() or judgement.events or judgement.derived.height or released
        # Parcels that the lake has leave the outbox with a commit, and a quiet city has no other.
        if told or self._unsaved or self._follower.has_done:
            # No message brought these rows: number 0 keeps them clear of any stream's count.
            derived = judgement.derived.with_columns(pl.lit(0, pl.Int64).alias("seq"))
            kept = lake_rows(empty_observations(), derived)
            self._commit(Work(CLOCK, CLOCK, self._clock_seq(now), now, kept, judgement.events, released=released))

    def settle(self, now: datetime) -> None:
        """Write the checkpoint that is due, when no batch came to carry it."""
        if self._unsaved and self._is_checkpoint_due():
            self._commit(Work(CLOCK, CLOCK, self._clock_seq(now), now, empty_observations(), ()))

    def _clock_seq(self, now: datetime) -> int:
        return max(int(now.timestamp() * 1000), self._committed(CLOCK, CLOCK) + 1)

    def waiting(self) -> dict[str, int]:
        """Messages of each stream that are not yet acknowledged."""
        return {stream: reader.waiting() for stream, reader in self._readers.items()}

    def _committed(self, stream: str, created: str) -> int:
        cursor = self._cursors.get(stream)
        return cursor.seq if cursor is not None and cursor.created == created else 0

    def _process(self, stream: str, created: str, messages: Sequence[Message], now: datetime) -> Work:
        sound = [message for message in messages if (stream, message.seq) not in self._poison]
        poisoned = [message for message in messages if (stream, message.seq) in self._poison]
        try:
            taken = self.brain.intake.take(sound, self.memory, now)
            judgement = judge(self.brain.book, self.brain.world, self.judging, taken.observations, now)
        except Exception as problem:
            raise NotProcessed(messages, problem) from problem
        self._note_problems(judgement)
        return Work(
            stream=stream,
            created=created,
            seq=messages[-1].seq,
            now=now,
            kept=lake_rows(taken.observations, judgement.derived),
            events=judgement.events,
            set_aside=[*taken.set_aside, *(set_aside_as_unjudged(message) for message in poisoned)],
            counts=taken.counts,
        )

    def _note_problems(self, judgement: Judgement) -> None:
        """A derive step that failed costs its own readings; all else was judged."""
        self.judge_problems += len(judgement.problems)
        for problem in judgement.problems:
            log.error("%s failed: %s", problem.what, problem.error)

    def _is_checkpoint_due(self) -> bool:
        waiting = sum(frame.height for frame in self._unsaved)
        return waiting <= self._few_rows or self._monotonic() - self._checkpointed_at >= CHECKPOINT_SECONDS

    def _commit(self, work: Work) -> None:
        parcel: Parcel | None = None
        if work.kept.height:
            self._number += 1
            parcel = Parcel(self._number, app_name(work.stream, work.created), work.seq, work.kept)
            self._unsaved.append(work.kept)
        whole = self._is_checkpoint_due()
        rows = list(self.judging.changed(series=whole))
        if parcel is not None:
            rows.append(StateRow(KIND, parcel.key, parcel.packed()))
        if whole:
            rows += self._checkpoint_rows()
        changes = self._store.commit(
            replace(
                work,
                latest=pl.concat(self._unsaved) if whole and self._unsaved else None,
                judge_rows=rows,
                intake_rows=self.memory.changed(whole=whole),
            )
        )
        self._cursors[work.stream] = Cursor(work.created, work.seq)
        self.judging.mark_saved(series=whole)
        self.memory.mark_saved(whole=whole)
        if whole:
            self._unsaved = []
            self._checkpointed_at = self._monotonic()
        if parcel is not None:
            self._follower.add(parcel)
        self._store.announce(changes)

    def _checkpoint_rows(self) -> list[StateRow]:
        """Up to which commit the state reaches, and parcels that the lake has: nobody needs them any more."""
        rows = [StateRow(KIND, key, None) for key in self._follower.take_done()]
        return [*rows, StateRow(CHECKPOINT, CHECKPOINT, str(self._number).encode())]


def set_aside_as_unjudged(message: Message) -> SetAside:
    """A message on which judging failed: kept for a person to see, so that those behind it are not held up."""
    return SetAside(
        seq=message.seq,
        device="",
        property="",
        raw=message.payload[:2000].decode("utf-8", "replace"),
        code="NOT_PROCESSED",
        reason_zh="平台处理该消息时出错，未入库",
        reason_en="The platform failed on this message; nothing of it was kept",
        hint_zh="请查看 worker 日志，修复后重新提交",
        hint_en="See the worker's log; send it again after the fault is mended",
        at=message.received_at,
    )
