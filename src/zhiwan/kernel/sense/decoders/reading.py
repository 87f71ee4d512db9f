"""What every decoder of live messages gives: readings (a time and named raw values) and problems."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from zhiwan.kernel.sense.reasons import Problem

_EARLIEST_MS, _LATEST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999
_EPOCH_US = 1_000_000


@dataclass(frozen=True, slots=True)
class NotFinite:
    """A NaN, an infinity or a number too large for a double, as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with the unit its sender named."""

    value: Any
    unit: str


@dataclass(frozen=True, slots=True)
class NoNumber:
    """A value that its format says is no number (text, data)."""

    raw: Any


@dataclass(slots=True)
class Reading:
    """Raw values of one time (microseconds since 1970; None: the time of receipt)."""

    at: int | None
    values: list[tuple[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Decoded:
    """Everything a message said. A problem without property concerns the whole message or one entry of it."""

    readings: list[Reading] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970; exact for every datetime (a double holds 2**53)."""
    return round(moment.timestamp() * _EPOCH_US)


def read_time(raw: Any) -> int | None:
    """RFC 3339 with zone, or milliseconds since 1970, as microseconds; None when it is neither."""
    if isinstance(raw, str):
        try:
            moment = msgspec.convert(raw, datetime)
        except msgspec.ValidationError:
            return None
        return None if moment.tzinfo is None else microseconds(moment)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not _EARLIEST_MS <= raw <= _LATEST_MS:
        return None
    return round(raw * 1000)
