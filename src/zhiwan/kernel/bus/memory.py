"""The bus in memory: for packs' replays and tests. Passes the same contract as NATS, so tests may trust it."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from zhiwan.kernel.bus.messages import (
    READER,
    STREAMS,
    BusFull,
    BusUnavailable,
    Message,
    MessageTooLarge,
    StreamSpec,
    matches,
)

#: Made at this moment, whenever it is made: the clock of a memory bus is its caller's.
CREATED = datetime(2020, 1, 1, tzinfo=UTC)


class MemoryBus:
    """Streams as lists. `clock` gives the time of storing."""

    def __init__(
        self,
        streams: Iterable[StreamSpec] = STREAMS,
        *,
        clock: Callable[[], datetime] = lambda: CREATED,
        max_payload: int = 1 << 20,
    ) -> None:
        self._streams = {spec.name: MemoryStream(spec) for spec in streams}
        self._more: dict[tuple[str, str], MemoryStream] = {}  # readers that were added
        self._clock = clock
        self._max_payload = max_payload
        self.announced: list[bytes] = []

    def publish(self, subject: str, payload: bytes) -> int:
        if len(payload) > self._max_payload:
            raise MessageTooLarge(size=len(payload), limit=self._max_payload)
        for stream in self._streams.values():
            if any(matches(pattern, subject) for pattern in stream.spec.subjects):
                now = self._clock()
                seq = stream.store(subject, payload, now)
                for (name, _), other in self._more.items():
                    if name == stream.stream:
                        other.store(subject, payload, now, seq)
                return seq
        raise BusUnavailable(problem=f"no stream keeps {subject}")

    def announce(self, payload: bytes) -> None:
        self.announced.append(payload)

    def ping(self) -> None:
        if not self._streams:
            raise BusUnavailable(problem="it is closed")

    def fullness(self) -> dict[str, float]:
        return {name: stream.size / stream.spec.max_bytes for name, stream in self._streams.items()}

    def open_reader(self, stream: str, name: str = READER) -> MemoryStream:
        reader = self._streams[stream] if name == READER else self._more[stream, name]
        reader.rewind()
        return reader

    def add_reader(self, stream: str, name: str, subjects: Sequence[str]) -> None:
        self._more.setdefault((stream, name), MemoryStream(self._streams[stream].spec)).only = tuple(subjects)

    def drop_reader(self, stream: str, name: str) -> None:
        self._more.pop((stream, name), None)

    def last_stored(self, stream: str) -> int:
        return self._streams[stream].last

    def has_read(self, stream: str, upto: int, name: str = READER) -> bool:
        return (self._streams[stream] if name == READER else self._more[stream, name]).first > upto

    def close(self) -> None:
        self._streams.clear()


class MemoryStream:
    """One stream and its reader in one: what is acknowledged is gone."""

    created = CREATED

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec
        self.stream = spec.name
        self.only: tuple[str, ...] = (spec.filter,)  # subjects this reader gets
        self._kept: list[Message] = []
        self._size = 0
        self._last = 0
        self._next = 0  # place in _kept of the next message to give
        self._changed = threading.Condition()

    def store(self, subject: str, payload: bytes, at: datetime, seq: int = 0) -> int:
        with self._changed:
            if self._size + len(payload) > self.spec.max_bytes:
                raise BusFull(stream=self.stream)
            self._last = seq or self._last + 1
            if any(matches(wanted, subject) for wanted in self.only):
                # Nobody reads the others: kept by interest, as NATS does.
                self._kept.append(Message(self.stream, self._last, subject, payload, at))
                self._size += len(payload)
                self._changed.notify_all()
            return self._last

    def pull(self, most: int, wait: float) -> list[Message]:
        end = time.monotonic() + wait
        with self._changed:
            while len(self._kept) - self._next < most and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            found = self._kept[self._next : self._next + most]
            self._next += len(found)
            return found

    def ack(self, upto: int) -> None:
        with self._changed:
            done = min(self._next, bisect_right([message.seq for message in self._kept], upto))
            self._size -= sum(len(message.payload) for message in self._kept[:done])
            del self._kept[:done]
            self._next -= done

    def rewind(self) -> None:
        with self._changed:
            self._next = 0

    def waiting(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of payload that are kept."""
        return self._size

    @property
    def last(self) -> int:
        """Number of the last message stored."""
        return self._last

    @property
    def first(self) -> int:
        """Number of the first message not acknowledged, or of the next one to come."""
        return self._kept[0].seq if self._kept else self._last + 1
