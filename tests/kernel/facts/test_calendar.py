"""Terms: the holidays of 2026 as the State Council published them; later years are provisional."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.facts.calendar import TermRefused, TermUnit, WorkingCalendar, due, working_time

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = WorkingCalendar()


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZONE)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("start", "amount", "unit", "at"),
    [
        # Friday afternoon: 1.5 hours are left, the rest waits for Monday
        (local(2026, 3, 6, 15, 30), 4, "working_hour", local(2026, 3, 9, 11, 0)),
        (local(2026, 3, 6, 20, 0), 2, "working_hour", local(2026, 3, 9, 10, 30)),
        (local(2026, 3, 6, 13, 0), 4, "working_hour", local(2026, 3, 6, 17, 0)),
        (local(2026, 3, 6, 15, 30), 4, "urgent_hour", local(2026, 3, 6, 19, 30)),
        (local(2026, 3, 6, 15, 30), 5, "working_day", local(2026, 3, 13, 17, 0)),
        (local(2026, 3, 6, 15, 30), 2, "natural_day", local(2026, 3, 9, 0, 0)),
        # the National Day week of 2026 (1-7 October) does not count, the make-up Saturday (10 October) does
        (local(2026, 9, 30, 10, 0), 1, "working_day", local(2026, 10, 8, 17, 0)),
        (local(2026, 10, 9, 10, 0), 1, "working_day", local(2026, 10, 10, 17, 0)),
        (local(2026, 3, 7, 10, 0), 0, "working_day", local(2026, 3, 9, 17, 0)),
    ],
)
def test_terms_end_when_the_office_says(start: datetime, amount: float, unit: str, at: datetime) -> None:
    result = due(start, amount, unit, CALENDAR)
    assert result.at == at
    assert not result.provisional


def test_a_term_into_an_unpublished_year_is_provisional() -> None:
    result = due(local(2098, 12, 31, 10, 0), 1, TermUnit.WORKING_DAY, CALENDAR)
    assert result.provisional
    assert result.at == local(2099, 1, 2, 17, 0)  # New Year's Day is fixed by law


def test_a_local_day_off_overrides_the_calendar() -> None:
    typhoon = WorkingCalendar(local={date(2026, 3, 9): False})
    assert due(local(2026, 3, 6, 15, 30), 4, "working_hour", typhoon).at == local(2026, 3, 10, 11, 0)


@pytest.mark.parametrize(
    ("start", "amount", "unit"),
    [
        (local(2026, 3, 6).replace(tzinfo=None), 1, "working_day"),
        (local(2026, 3, 6), -1, "urgent_hour"),
        (local(2026, 3, 6), 1.5, "working_day"),
    ],
)
def test_a_term_that_cannot_be_counted_is_refused(start: datetime, amount: float, unit: str) -> None:
    with pytest.raises(TermRefused):
        due(start, amount, unit, CALENDAR)


_STARTS = st.integers(0, 2_300 * 1440).map(lambda past: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=past))


@given(_STARTS, st.integers(0, 200))
def test_working_hours_are_spent_exactly(start: datetime, half_hours: int) -> None:
    result = due(start, half_hours / 2, "working_hour", CALENDAR)
    assert working_time(start, result.at, CALENDAR) == timedelta(hours=half_hours / 2)
    assert result.at >= start


@given(_STARTS, st.integers(0, 40), st.integers(0, 40))
def test_a_longer_term_never_ends_earlier(start: datetime, one: int, more: int) -> None:
    for unit in TermUnit:
        assert due(start, one, unit, CALENDAR).at <= due(start, one + more, unit, CALENDAR).at


@given(_STARTS, st.integers(0, 20))
def test_working_days_end_at_closing_time_of_an_open_day(start: datetime, days: int) -> None:
    at = due(start, days, "working_day", CALENDAR).at
    assert at.time() == time(17, 0)
    assert CALENDAR.is_working(at.date())
