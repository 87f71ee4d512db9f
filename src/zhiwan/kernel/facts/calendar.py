"""Working calendar and clocks: when is something due that must be done in 4 working hours or 5 working days?

Working days of the past and of the published year come from the State Council's notices (package chinese-calendar,
make-up days 调休 included), or from the place, which may state a year that the package does not hold yet and single
days of its own (places/<district>/calendar.yml). For years not yet published weekdays count, less the holidays with a
fixed date; such a result is *provisional* and must be computed again when the year is published.

Counting follows the Civil Code, art. 201-204: the day on which a term in days starts is not counted, and a term ends
when business closes on its last day (working days) or at midnight (natural days).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import chinese_calendar  # type: ignore[import-untyped]
from chinese_calendar import constants

from zhiwan.kernel.facts.errors import InputRefused

_FIRST_YEAR = min(constants.holidays).year
_LAST_YEAR = max(constants.holidays).year
_FIXED_HOLIDAYS = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
_LONGEST = 10_000  # days or hours; a term beyond it is a mistake


class TermRefused(InputRefused):
    """A term that cannot be counted."""

    code = "CLOCK-001"
    fact = "a term of {amount} {unit} from {start} cannot be counted"
    detail = "{reason}"
    hint = "Start at a time with a zone; count between 0 and 10,000, days in whole numbers."


class TermUnit(StrEnum):
    """What a term is counted in."""

    URGENT_HOUR = "urgent_hour"  # 紧急工作时: by the clock, day and night
    WORKING_HOUR = "working_hour"  # 工作时: only while the office is open
    WORKING_DAY = "working_day"  # 工作日
    NATURAL_DAY = "natural_day"  # 自然日


@dataclass(frozen=True)
class Due:
    """When a term ends. Provisional: it reaches into a year whose holidays are not published."""

    at: datetime
    provisional: bool


@dataclass(frozen=True)
class OfficeHours:
    """When the office is open on a working day, from a date on."""

    since: date
    opens: time
    closes: time


@dataclass(frozen=True)
class PublishedYear:
    """The days of a year that differ from its weeks: holidays on weekdays, make-up days on weekends (调休)."""

    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def is_working(self, day: date) -> bool:
        return day in self.worked or (day.weekday() < 5 and day not in self.off)


@dataclass(frozen=True)
class WorkingCalendar:
    """The days and hours of one administration.

    `hours` are ordered by date. `years` are stated as a whole and come before the package's; `local` overrides single
    days (a typhoon day off, a make-up day) and says nothing of the rest of their year.
    """

    zone: str = "Asia/Shanghai"
    hours: tuple[OfficeHours, ...] = (OfficeHours(date.min, time(8, 30), time(17, 0)),)
    years: Mapping[int, PublishedYear] = field(default_factory=dict)
    local: Mapping[date, bool] = field(default_factory=dict)

    def is_published(self, day: date) -> bool:
        """Whether it is known that this day is worked or not."""
        return day in self.local or day.year in self.years or _FIRST_YEAR <= day.year <= _LAST_YEAR

    def is_working(self, day: date) -> bool:
        """Whether the office is open on this day."""
        if day in self.local:
            return self.local[day]
        if (year := self.years.get(day.year)) is not None:
            return year.is_working(day)
        if self.is_published(day):
            return bool(chinese_calendar.is_workday(day))
        return day.weekday() < 5 and (day.month, day.day) not in _FIXED_HOLIDAYS

    def opens(self, day: date) -> datetime:
        """When the office opens on a working day."""
        return self._moment(day, self._hours(day).opens)

    def closes(self, day: date) -> datetime:
        """When the office closes on a working day."""
        return self._moment(day, self._hours(day).closes)

    def begins(self, day: date) -> datetime:
        """The midnight with which a day begins."""
        return self._moment(day, time())

    def _hours(self, day: date) -> OfficeHours:
        return next((one for one in reversed(self.hours) if one.since <= day), self.hours[0])

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, ZoneInfo(self.zone))


def due(start: datetime, amount: float, unit: TermUnit | str, calendar: WorkingCalendar) -> Due:
    """When a term that starts now ends. Raises TermRefused."""
    unit = TermUnit(unit)
    whole = unit in (TermUnit.URGENT_HOUR, TermUnit.WORKING_HOUR) or float(amount).is_integer()
    if start.tzinfo is None or not 0 <= amount <= _LONGEST or not whole:
        raise TermRefused(amount=amount, unit=unit, start=start, reason="It is no term of this unit.")
    local = start.astimezone(ZoneInfo(calendar.zone))
    if unit is TermUnit.URGENT_HOUR:
        return Due(start + timedelta(hours=amount), False)
    if unit is TermUnit.NATURAL_DAY:
        return Due(calendar.begins(local.date() + timedelta(days=int(amount) + 1)), False)
    if unit is TermUnit.WORKING_DAY:
        return _due_in_days(local, int(amount), calendar)
    return _due_in_hours(local, timedelta(hours=amount), calendar)


def _due_in_days(local: datetime, amount: int, calendar: WorkingCalendar) -> Due:
    day, left = local.date(), amount
    provisional = not calendar.is_published(day)
    # A term of 0 days is due today, or on the next working day where today is none.
    while left or not calendar.is_working(day):
        day += timedelta(days=1)
        provisional |= not calendar.is_published(day)
        if left and calendar.is_working(day):
            left -= 1
    return Due(calendar.closes(day), provisional)


def _due_in_hours(local: datetime, left: timedelta, calendar: WorkingCalendar) -> Due:
    day, provisional = local.date(), False
    while True:
        provisional |= not calendar.is_published(day)
        if calendar.is_working(day):
            begins = max(local, calendar.opens(day))
            open_for = calendar.closes(day) - begins
            if open_for > timedelta(0):
                if left <= open_for:
                    return Due(begins + left, provisional)
                left -= open_for
        day += timedelta(days=1)


def working_time(start: datetime, end: datetime, calendar: WorkingCalendar) -> timedelta:
    """How long the office was open between two moments; zero where the end lies before the start."""
    zone = ZoneInfo(calendar.zone)
    local, last = start.astimezone(zone), end.astimezone(zone)
    total, day = timedelta(0), local.date()
    while day <= last.date():
        if calendar.is_working(day):
            begins = max(local, calendar.opens(day))
            ends = min(last, calendar.closes(day))
            total += max(ends - begins, timedelta(0))
        day += timedelta(days=1)
    return total
