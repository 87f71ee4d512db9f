"""What wrong tries in a row do: after five the way in is locked for a while, whether the name exists or not.

A try is counted *before* the proof is looked at and forgiven when it is right, so that a burst of guesses at the same
moment gets no more looks than five.

begin(what, whose, at) -> tries left      forgive(what, whose)      until(whats, names, at) -> who is locked
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.ways_in import limits
from zhiwan.city.people.ways_in.errors import Locked
from zhiwan.city.people.ways_in.limits import Limits
from zhiwan.city.people.ways_in.models import Lock
from zhiwan.city.people.ways_in.seals import keyed


@dataclass(frozen=True)
class Tries:
    """Wrong tries in a row, the last of them, and until when nothing is looked at."""

    failures: int = 0
    last_at: datetime | None = None
    until: datetime | None = None

    def locked(self, at: datetime) -> bool:
        return self.until is not None and at < self.until


def counted(before: Tries, at: datetime, rules: Limits) -> Tries:
    """One more try, taken as wrong. A lock that is over, or a silence as long as one, begins anew. Raises Locked."""
    if before.until is not None and at < before.until:
        raise Locked(until=before.until, at=at)
    fresh = before.until is not None or before.last_at is None or at - before.last_at >= rules.lock
    failures = 1 if fresh else before.failures + 1
    return Tries(failures, at, at + rules.lock if failures >= rules.tries else None)


def begin(what: str, whose: str, at: datetime) -> int:
    """Count a try of `what` (`password`, `second`); how many are left should it be wrong. Raises Locked."""
    rules = limits.at(at)
    with acting_system("web"):
        key = _key(what, whose)
        Lock.objects.bulk_create([Lock(key=key, last_at=at)], ignore_conflicts=True)
        row = Lock.objects.select_for_update().get(key=key)
        now = counted(Tries(row.failures, row.last_at if row.failures else None, row.until), at, rules)
        Lock.objects.filter(key=key).update(failures=now.failures, last_at=at, until=now.until)
    return rules.tries - now.failures


def forgive(what: str, whose: str) -> None:
    """The try was right, or an administrator lifts the lock."""
    with acting_system("web"):
        Lock.objects.filter(key=_key(what, whose)).delete()


def until(whats: Iterable[str], names: Iterable[str], at: datetime) -> dict[str, datetime]:
    """Which of these names are locked in any of these ways, and until when: for the page of accounts."""
    keys = {_key(what, name): name for name in names for what in whats}
    with acting_system("web"):
        found = Lock.objects.filter(key__in=keys, until__gt=at).order_by("until")
        return {keys[bytes(row.key)]: row.until for row in found if row.until is not None}


def _key(what: str, whose: str) -> bytes:
    return keyed("lock", what, whose.strip().casefold())
