"""How often something may be done in a while, per account, phone or address: counters in PostgreSQL.

    spend("code:phone", phone, most=1, per=timedelta(minutes=1), at=now)      counts, and raises TooOften beyond `most`
    require_left(...)                                                         raises TooOften without counting

Windows are fixed: a counter begins with the first use and is forgotten at its end. PostgreSQL is where the platform
keeps state anyway; a cache of one process would multiply every limit by the number of processes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.ways_in import limits
from zhiwan.city.people.ways_in.errors import TooOften
from zhiwan.city.people.ways_in.models import RateWindow
from zhiwan.city.people.ways_in.seals import keyed

_FAILURES_PER = timedelta(minutes=10)
_WRITES_PER = timedelta(minutes=1)
_CALLS_PER = timedelta(minutes=1)
#: Calls that a process counts for itself before it tells the database: a row written by every request of a busy
#: sender would be what it waits for.
_CALLS_TOLD, _CALLS_KEPT = 50, timedelta(seconds=1)
_COUNT = """
INSERT INTO people_ratewindow AS mine (key, ends_at, count) VALUES (%(key)s, %(ends)s, %(uses)s)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN mine.ends_at <= %(at)s THEN excluded.count ELSE mine.count + excluded.count END,
    ends_at = CASE WHEN mine.ends_at <= %(at)s THEN excluded.ends_at ELSE mine.ends_at END
RETURNING count, ends_at
"""


def spend(what: str, whose: str, *, most: int, per: timedelta, at: datetime, uses: int = 1) -> None:
    """Count uses. Raises TooOften when there are more than `most` in this window."""
    with acting_system("web"), connection.cursor() as cursor:
        cursor.execute(_COUNT, {"key": keyed("rate", what, whose), "ends": at + per, "at": at, "uses": uses})
        count, ends_at = cursor.fetchone()
    if count > most:
        raise TooOften(until=ends_at, at=at)


def require_left(what: str, whose: str, *, most: int, at: datetime) -> None:
    """Raises TooOften when the window is used up."""
    with acting_system("web"):
        row = RateWindow.objects.filter(key=keyed("rate", what, whose), ends_at__gt=at).first()
    if row is not None and row.count >= most:
        raise TooOften(until=row.ends_at, at=at)


def require_address(address: str, at: datetime) -> None:
    """An address that failed too often, at any of the doors for people, is not looked at for a while."""
    require_left("failures", address, most=limits.at(at).failures_of_an_address, at=at)


def count_failure(address: str, at: datetime) -> None:
    """One failure of an address. Raises TooOften when it is the last one that is answered."""
    spend("failures", address, most=limits.at(at).failures_of_an_address, per=_FAILURES_PER, at=at)


def count_write(account: str, address: str, at: datetime) -> None:
    """One form of a signed-in account. Raises TooOften beyond what a person, or all behind an address, can type."""
    now = limits.at(at)
    spend("writes", account, most=now.writes_a_minute, per=_WRITES_PER, at=at)
    spend("writes of an address", address, most=now.writes_of_an_address, per=_WRITES_PER, at=at)


@dataclass
class _Calls:
    """What one process has counted of one account since it told, and until when the account is turned away."""

    count: int
    since: datetime
    until: datetime | None = None


_calls: dict[str, _Calls] = {}
_counting = threading.Lock()


def count_call(account: str, at: datetime) -> None:
    """One call of a service account. Raises TooOften beyond what its senders need; what was sent is not looked at.

    Each process tells its calls in bundles, so the limit is exact to fifty calls, or a second, for each process.
    """
    with _counting:
        mine = _calls.setdefault(account, _Calls(0, at))
        if mine.until is not None and at < mine.until:
            raise TooOften(until=mine.until, at=at)
        mine.count, mine.until = mine.count + 1, None
        if mine.count < _CALLS_TOLD and at - mine.since < _CALLS_KEPT:
            return
        told = mine.count
        mine.count, mine.since = 0, at
    try:
        spend("calls", account, most=limits.at(at).calls_a_minute, per=_CALLS_PER, at=at, uses=told)
    except TooOften as problem:
        with _counting:
            mine.until = problem.until
        raise
