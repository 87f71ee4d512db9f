"""Every limit of the ways in, with a clock: wrong tries, rates, idleness, age. And the numbers themselves are dated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from zhiwan.city.people.tests.conftest import AT
from zhiwan.city.people.ways_in import limits, locks, rates
from zhiwan.city.people.ways_in.errors import Locked, TooOften
from zhiwan.city.people.ways_in.locks import Tries, counted
from zhiwan.city.people.ways_in.models import Session
from zhiwan.city.people.ways_in.passwords import left_of
from zhiwan.city.people.ways_in.session_store import IDLE, OLD, over
from zhiwan.kernel.packs.parameters import ParameterNotInForce

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = limits.at(AT)


def test_the_numbers_are_those_of_level_3_and_say_where_they_come_from() -> None:
    assert (RULES.password_length >= 8, RULES.password_classes, RULES.password_days) == (True, 3, 90)
    assert RULES.tries == 5
    assert 10 <= RULES.idle_minutes <= 30
    told = limits.declared(AT)
    assert len(told) == len(RULES.__dataclass_fields__)
    assert all(entry.source and entry.verify and entry.from_ == date(2019, 12, 1) for _parameter, entry in told)
    with pytest.raises(ParameterNotInForce):
        limits.at(AT.replace(year=2010))


def tried(times: int, *, every: timedelta = MINUTE, tries: Tries | None = None, at: datetime = AT) -> Tries:
    found = tries or Tries()
    for number in range(times):
        found = counted(found, at + number * every, RULES)
    return found


def test_the_fifth_wrong_try_in_a_row_locks_and_the_lock_ends_by_itself() -> None:
    assert not tried(4).locked(AT + 4 * MINUTE)
    locked = tried(5)
    until = AT + 4 * MINUTE + RULES.lock
    assert locked.until == until
    with pytest.raises(Locked) as refused:
        counted(locked, until - timedelta(seconds=1), RULES)
    assert refused.value.retry_after == 2
    assert counted(locked, until, RULES) == Tries(1, until, None)


def test_tries_that_lie_a_locks_time_apart_do_not_add_up() -> None:
    assert tried(9, every=RULES.lock).failures == 1
    assert tried(5, every=RULES.lock - MINUTE).until is not None


@pytest.mark.django_db
def test_a_lock_is_kept_for_names_that_do_not_exist_too_and_a_right_try_forgives() -> None:
    for left in (4, 3, 2):
        assert locks.begin("password", "nobody", AT) == left
    assert locks.begin("password", " NOBODY ", AT) == 1, "names are the same whatever their case"
    locks.forgive("password", "nobody")
    assert [locks.begin("password", "nobody", AT) for _ in range(5)] == [4, 3, 2, 1, 0]
    assert locks.until(["password"], ["nobody", "other"], AT) == {"nobody": AT + RULES.lock}
    with pytest.raises(Locked):
        locks.begin("password", "nobody", AT + MINUTE)
    assert locks.begin("second", "nobody", AT) == 4, "another way in is another lock"


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_guesses_gets_no_more_looks_than_five() -> None:
    def guess(_: int) -> bool:
        try:
            locks.begin("password", "li", AT)
        except Locked:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(guess, range(16))) == RULES.tries


@pytest.mark.django_db
def test_a_rate_is_counted_in_its_window_and_told_with_the_seconds_to_wait() -> None:
    for second in range(3):
        rates.spend("knock", "here", most=3, per=HOUR, at=AT + timedelta(seconds=second))
    with pytest.raises(TooOften) as refused:
        rates.spend("knock", "here", most=3, per=HOUR, at=AT + 59 * MINUTE)
    assert refused.value.retry_after == 61
    rates.spend("knock", "there", most=3, per=HOUR, at=AT)
    rates.spend("knock", "here", most=3, per=HOUR, at=AT + HOUR)


@pytest.mark.django_db
def test_an_address_that_failed_too_often_is_not_looked_at_until_its_window_ends() -> None:
    for _ in range(RULES.failures_of_an_address):
        rates.require_address("192.0.2.7", AT)
        rates.count_failure("192.0.2.7", AT)
    with pytest.raises(TooOften):
        rates.require_address("192.0.2.7", AT + 9 * MINUTE)
    rates.require_address("192.0.2.8", AT)
    rates.require_address("192.0.2.7", AT + 10 * MINUTE)


def session(**more: object) -> Session:
    begun = {"created_at": AT, "seen_at": AT, "expire_date": AT + RULES.session, "user_id": 1}
    return Session(**{**begun, **more})


def test_a_session_ends_when_nobody_is_there_and_after_its_hours() -> None:
    busy = session(seen_at=AT + 11 * HOUR + 59 * MINUTE)
    assert over(session(), AT + RULES.idle - timedelta(seconds=1)) == ""
    assert over(session(), AT + RULES.idle) == IDLE
    assert over(busy, AT + RULES.session - timedelta(seconds=1)) == ""
    assert over(busy, AT + RULES.session) == OLD
    assert over(session(ended_at=AT, ended_why="revoked"), AT) == "revoked"


def test_a_wall_is_not_idle_but_grows_old_and_a_visitor_is_neither() -> None:
    assert over(session(wall=True), AT + RULES.idle) == ""
    assert over(session(wall=True), AT + RULES.session) == OLD
    assert over(session(user_id=None, expire_date=AT + HOUR), AT + 50 * MINUTE) == ""
    assert over(session(user_id=None, expire_date=AT + HOUR), AT + HOUR) == OLD


def test_a_password_has_ninety_days_and_the_last_one_counts() -> None:
    span = timedelta(days=RULES.password_days)
    assert left_of(AT, AT, span) == 90
    assert left_of(AT, AT + timedelta(days=89, hours=1), span) == 1
    assert left_of(AT, AT + span, span) == 0
    assert left_of(AT, AT + timedelta(days=91), span) == -1


def test_limits_follow_the_day_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """2019-12-01 begins in China while it is still the day before in Greenwich."""
    first = datetime(2019, 11, 30, 16, tzinfo=timezone.get_fixed_timezone(0))
    assert limits.at(first).tries == 5
    with pytest.raises(ParameterNotInForce):
        limits.at(first - timedelta(seconds=1))
