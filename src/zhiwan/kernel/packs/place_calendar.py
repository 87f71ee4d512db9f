"""A place's calendar.yml: its office hours, years it states itself, single days of its own; each with its source.

The State Council publishes the holidays of a year late in the year before. The package that holds them follows some
weeks later; until then a place may state the year here, and every clock that reached into it is no longer provisional.
"""

from __future__ import annotations

from datetime import date, time
from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from zhiwan.kernel.facts.calendar import OfficeHours, PublishedYear, WorkingCalendar
from zhiwan.kernel.packs.models import Declared, Text


class HoursInForce(Declared):
    """Office hours of a working day, until the next `from`."""

    from_: date = Field(alias="from")
    opens: time  # "08:30"
    closes: time
    source: Annotated[str, Field(min_length=1)]
    verify: bool = False  # 待核实: we have it from memory, not from the text

    @model_validator(mode="after")
    def _some_hours(self) -> HoursInForce:
        if self.opens >= self.closes:
            raise ValueError("the office closes after it opens, on the same day")
        return self


class YearDecl(Declared):
    """A whole year as it was published; weekdays are worked unless `off`, weekends are not unless `worked`."""

    year: Annotated[int, Field(ge=2000, le=2100)]
    source: Annotated[str, Field(min_length=1)]
    off: list[date] = Field(default=[])  # holidays on weekdays (those on weekends need not be named)
    worked: list[date] = Field(default=[])  # make-up days on weekends (调休)

    @model_validator(mode="after")
    def _own_days(self) -> YearDecl:
        if wrong := [day for day in (*self.off, *self.worked) if day.year != self.year]:
            raise ValueError(f"{wrong[0]} is no day of {self.year}")
        if both := set(self.off) & set(self.worked):
            raise ValueError(f"{min(both)} is both off and worked")
        if wrong := [day for day in self.worked if day.weekday() < 5]:
            raise ValueError(f"{wrong[0]} is a weekday: it is worked unless it is off")
        return self


class DayDecl(Declared):
    """One day that is different in this place only."""

    day: date
    working: bool
    reason: Text
    source: Annotated[str, Field(min_length=1)]


class CalendarFile(Declared):
    hours: list[HoursInForce] = Field(default=[])
    years: list[YearDecl] = Field(default=[])
    days: list[DayDecl] = Field(default=[])

    @model_validator(mode="after")
    def _once_and_in_order(self) -> CalendarFile:
        starts = [one.from_ for one in self.hours]
        if any(later <= earlier for earlier, later in pairwise(starts)):
            raise ValueError("order `hours` by `from`, each date once")
        for name, given in (
            ("year", [str(one.year) for one in self.years]),
            ("day", [one.day.isoformat() for one in self.days]),
        ):
            if twice := [one for one in given if given.count(one) > 1]:
                raise ValueError(f"the {name} {twice[0]} stands here twice")
        return self

    def calendar(self, zone: str) -> WorkingCalendar:
        """The working calendar that clocks count by; without hours of its own, the usual ones."""
        usual = WorkingCalendar()
        return WorkingCalendar(
            zone=zone,
            hours=tuple(OfficeHours(one.from_, one.opens, one.closes) for one in self.hours) or usual.hours,
            years={one.year: PublishedYear(frozenset(one.off), frozenset(one.worked)) for one in self.years},
            local={one.day: one.working for one in self.days},
        )
