"""`zhiwan place calendar`: the working calendar of a place in words, to be compared with the notices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from zhiwan.kernel.facts.calendar import WorkingCalendar
from zhiwan.kernel.packs.place import load_place


def told(folder: Path, year: int | None) -> Iterator[str]:
    """Its hours, and of each year the days that differ from its weeks. Raises PackFault."""
    place = load_place(folder)
    yield f"{place.place.name} / {place.place.name_en} ({place.place.zone})"
    for one in place.calendar.hours:
        verify = "  待核实 / to be verified" if one.verify else ""
        yield f"  {one.from_} 起 / from: {one.opens:%H:%M}–{one.closes:%H:%M}  {one.source}{verify}"
    this = datetime.now(ZoneInfo(place.place.zone)).year
    for asked in (year,) if year is not None else (this, this + 1):
        yield from _year(place.working_calendar, asked)
    for day in place.calendar.days:
        kind = "工作 / worked" if day.working else "休息 / off"
        yield f"  本地 / here only: {day.day} {kind}  {day.reason.zh} / {day.reason.en}  {day.source}"


def _year(calendar: WorkingCalendar, year: int) -> Iterator[str]:
    days = [
        date(year, 1, 1) + timedelta(days=n) for n in range(366) if (date(year, 1, 1) + timedelta(days=n)).year == year
    ]
    known = all(calendar.is_published(day) for day in days)
    yield f"{year}  {'已公布 / published' if known else '暂定，尚未公布 / provisional, not published yet'}"
    for title, working in (("放假 / off", False), ("调休上班 / worked", True)):
        found = [
            f"{day:%m-%d}" for day in days if (day.weekday() < 5) != working and calendar.is_working(day) == working
        ]
        if found:
            yield f"  {title}: {' '.join(found)}"
