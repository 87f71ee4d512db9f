"""Instants from outside: RFC 3339 text or milliseconds since 1970. A time without its offset is refused."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from zhiwan.kernel.facts.errors import InputRefused

_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999


class TimeRefused(InputRefused):
    """A time that cannot be read without guessing."""

    code = "TIME-001"
    fact = "the time {given} cannot be read"
    detail = "{reason}"
    hint = "Send RFC 3339 with an offset (2026-07-01T06:00:00+08:00) or milliseconds since 1970."


def parse_instant(given: object) -> datetime:
    """The instant in UTC, to the microsecond (finer digits are cut). Raises TimeRefused."""
    if isinstance(given, str):
        return _from_text(given)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TimeRefused(given=_shown(given), reason="It is neither text nor a number.")
    if not math.isfinite(given) or not 0 <= given <= _LAST_MS:
        raise TimeRefused(given=_shown(given), reason="Milliseconds lie between 1970 and 9999.")
    return _EPOCH + timedelta(milliseconds=given)


def _from_text(given: str) -> datetime:
    match = _RFC3339.fullmatch(given)
    if match is None:
        raise TimeRefused(given=_shown(given), reason="It is no RFC 3339 time with seconds and an offset.")
    *parts, fraction, zone = match.groups()
    micros = int((fraction or "").ljust(6, "0")[:6])
    try:
        local = datetime(*(int(part) for part in parts), micros, tzinfo=UTC)  # type: ignore[arg-type,misc]
        return local - _offset(zone)
    except (ValueError, OverflowError) as error:
        raise TimeRefused(given=_shown(given), reason=f"There is no such time ({error}).") from error


def _offset(zone: str) -> timedelta:
    if zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError("an offset is at most 23:59")
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def print_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with Z, microseconds only where there are any. Raises ValueError for a naive time."""
    if instant.tzinfo is None:
        raise ValueError("an instant has a zone")
    utc = instant.astimezone(UTC)
    return utc.isoformat(timespec="microseconds" if utc.microsecond else "seconds").replace("+00:00", "Z")


def _shown(given: object) -> str:
    return repr(given)[:60]
