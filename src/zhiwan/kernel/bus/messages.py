"""What travels on the bus: messages, the streams that keep them, and the errors of both.

A stream keeps a message until its reader has acknowledged it; when it is full it refuses new ones (never forgets old
ones), so that a sender who was answered can rely on the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable

#: Core subject of the hints that something changed; nothing is kept there and nothing may depend on it.
LIVE_CHANGES = "live.changes"


@dataclass(frozen=True, slots=True)
class Message:
    """One stored message. `seq` rises by the stream's order of storing; `received_at` is when it was stored (UTC)."""

    stream: str
    seq: int
    subject: str
    payload: bytes
    received_at: datetime


#: The reader that every stream has from its making: the live worker's.
READER = "worker"
READER_FORGOTTEN = 600.0


@dataclass(frozen=True)
class StreamSpec:
    """A stream as we make it: its subjects, what its first reader reads, and how much it may hold."""

    name: str
    subjects: tuple[str, ...]
    filter: str
    max_bytes: int
    reader: str = READER


#: The broker keeps every MQTT publish of QoS 1 here and answers PUBACK after it did.
MQTT = StreamSpec("$MQTT_msgs", ("$MQTT.msgs.>",), "$MQTT.msgs.devices.>", max_bytes=1 << 30)
#: What the HTTP doors took: `intake.<source>`.
INTAKE = StreamSpec("INTAKE", ("intake.>",), "intake.>", max_bytes=1 << 28)
STREAMS = (MQTT, INTAKE)


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject fits a NATS pattern: `*` is one word, a last `>` is one or more."""
    wanted, given = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(given) >= len(wanted) and all(a in ("*", b) for a, b in zip(wanted[:-1], given, strict=False))
    return len(wanted) == len(given) and all(a in ("*", b) for a, b in zip(wanted, given, strict=True))


class BusUnavailable(PartUnavailable):
    """The bus did not answer; nothing is known to be stored."""

    code = "BUS-001"
    fact = "the bus does not answer"
    detail = "{problem}"
    hint = "Send again: a reading stored twice is recognised as the same."


class BusFull(PartUnavailable):
    """A stream is at its limit; the message was not stored."""

    code = "BUS-002"
    fact = "the stream {stream} is full"
    detail = "Its reader is behind; nothing of this message was stored."
    hint = "Send again later."


class MessageTooLarge(InputRefused):
    """The message is larger than the bus takes."""

    code = "BUS-003"
    fact = "a message of {size} bytes is too large"
    detail = "The limit is {limit} bytes."
    hint = "Send the readings in several messages."
