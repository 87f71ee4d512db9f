"""What pages show of keeping.

waiting() -> list[Waiting]             things out of use by type, whose personal fields wait for the end of their term
erasures(page) -> Page[ErasureView]    receipts, newest first, with what of them is left in backups
backups(page) -> Page[Backup]          · last_backup() · last_drill() · drills(limit)
due_day_of(entity_id) -> date | None   when the last personal field of a thing that is out of use goes
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max

from zhiwan.city.keeping.models import Backup, Drill, Erasure
from zhiwan.city.paging import Page, paged
from zhiwan.city.people.purposes import purpose_book
from zhiwan.city.registry.models import Entity


@dataclass(frozen=True)
class Waiting:
    """Things out of use that still have this field. `due`: of the first of them; None where no end is set."""

    field: str  # Type.field
    things: int
    due: date | None


@dataclass(frozen=True)
class ErasureView:
    """A receipt, and the backups that were made before it and can still be opened."""

    receipt: Erasure
    backups: int
    #: When the key of the last of them is destroyed; None: there is none, or one has no end set.
    backups_until: datetime | None
    endless: bool  # one of them has no end set: its key is destroyed by hand


def waiting() -> list[Waiting]:
    """By field, the next one due first."""
    book, zone = purpose_book(), ZoneInfo(settings.TIME_ZONE)
    by_type: dict[str, list[str]] = {}
    for name in sorted({field for purpose in book.values() for field in purpose.fields}):
        type_id, field = name.split(".")
        by_type.setdefault(type_id, []).append(field)
    counted: Counter[str] = Counter()
    first: dict[str, date | None] = {}
    rows = Entity.objects.filter(active=False, inactive_since__isnull=False, type__in=by_type)
    for type_id, since, fields in rows.values_list("type", "inactive_since", "fields").order_by("-inactive_since"):
        day = since.astimezone(zone).date() if since is not None else None
        for field in by_type[type_id]:
            if field in fields:
                name = f"{type_id}.{field}"
                counted[name] += 1
                first[name] = book.due_day(name, day)
    found = [Waiting(name, count, first[name]) for name, count in counted.items()]
    return sorted(found, key=lambda one: (one.due or date.max, one.field))


def due_day_of(entity_id: str) -> date | None:
    """When the last of its registered personal fields goes; None while it is in use or has none."""
    entity = Entity.objects.filter(id=entity_id, active=False).first()
    if entity is None or entity.inactive_since is None:
        return None
    day = entity.inactive_since.astimezone(ZoneInfo(settings.TIME_ZONE)).date()
    days = [purpose_book().due_day(f"{entity.type}.{field}", day) for field in entity.fields]
    return max((one for one in days if one is not None), default=None)


def erasures(page: int = 1, size: int = 20) -> Page[ErasureView]:
    """Receipts, the newest first."""
    found = paged(Erasure.objects.order_by("-at", "-pk"), _view_of(_openable()), page, size)
    return found


def _openable() -> list[tuple[datetime, datetime | None]]:
    """(made, kept until) of every backup that can still be opened."""
    return list(Backup.objects.filter(destroyed_at=None).order_by("made_at").values_list("made_at", "keep_until"))


def _view_of(openable: list[tuple[datetime, datetime | None]]) -> Any:
    def view(receipt: Erasure) -> ErasureView:
        older = [until for made, until in openable if made < receipt.at]
        ends = [until for until in older if until is not None]
        endless = len(ends) < len(older)
        return ErasureView(receipt, len(older), None if endless or not ends else max(ends), endless)

    return view


def backups(page: int = 1, size: int = 30) -> Page[Backup]:
    """All that were made, the newest first."""
    return paged(Backup.objects.order_by("-made_at"), lambda one: one, page, size)


def drills(limit: int = 10) -> list[Drill]:
    """The newest first."""
    return list(Drill.objects.order_by("-at")[:limit])


def last_backup() -> datetime | None:
    """When the newest that can be opened was made."""
    newest: datetime | None = Backup.objects.filter(destroyed_at=None).aggregate(last=Max("made_at"))["last"]
    return newest


def last_drill() -> Drill | None:
    """The newest."""
    return Drill.objects.order_by("-at").first()
