"""The port: what the rest of Zhiwan may ask of a bus. Two implementations pass one contract (tests/contract/bus)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from zhiwan.kernel.bus.messages import READER, Message


class StreamReader(Protocol):
    """The one reader of a stream. Messages come in the order of `seq`, each once, until `rewind`.

    A reader that starts begins after the last acknowledged message. Whoever needs more than that keeps its own
    cursor and drops what lies at or below it.
    """

    @property
    def stream(self) -> str:
        """Name of the stream."""
        ...

    @property
    def created(self) -> datetime:
        """When the stream was made (UTC). Another time means another stream: its numbers begin anew."""
        ...

    def pull(self, most: int, wait: float) -> list[Message]:
        """Up to `most` messages; returns when it has them, or after `wait` seconds with what came until then."""
        ...

    def ack(self, upto: int) -> None:
        """All messages pulled with `seq <= upto` are done and may be forgotten; returns when the bus knows."""
        ...

    def rewind(self) -> None:
        """The next pull begins after the last acknowledged message."""
        ...

    def waiting(self) -> int:
        """How many stored messages are not yet acknowledged: the lag."""
        ...


class Bus(Protocol):
    """Publish, read, announce. Blocking calls; safe to use from several threads (a reader from one)."""

    def publish(self, subject: str, payload: bytes) -> int:
        """Store a message; its seq. Raises BusFull, MessageTooLarge or BusUnavailable: then it may be sent again."""
        ...

    def announce(self, payload: bytes) -> None:
        """A hint to whoever listens on `live.changes` at this moment; kept nowhere, never raises."""
        ...

    def ping(self) -> None:
        """Returns when the bus has answered. Raises BusUnavailable."""
        ...

    def fullness(self) -> dict[str, float]:
        """How much of its limit each stream holds, 0 … 1. Raises BusUnavailable."""
        ...

    def open_reader(self, stream: str, name: str = READER) -> StreamReader:
        """The reader `name` of `stream`. There must be only one at a time (the worker's lock sees to that).

        The first reader's stream is made anew if somebody has deleted it.
        """
        ...

    def add_reader(self, stream: str, name: str, subjects: Sequence[str]) -> None:
        """Another reader besides the stream's own: from now on it gets the messages of these subjects.

        One that nobody has asked for READER_FORGOTTEN seconds goes by itself: it must never fill the stream.
        """
        ...

    def drop_reader(self, stream: str, name: str) -> None:
        """Forget a reader that was added, with what waits for it alone. None of that name: nothing happens."""
        ...

    def last_stored(self, stream: str) -> int:
        """The number of the last message a stream has stored."""
        ...

    def has_read(self, stream: str, upto: int, name: str = READER) -> bool:
        """Whether a reader is done with all messages up to a number, asked from outside: it is not disturbed."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
