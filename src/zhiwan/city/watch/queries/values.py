"""Measured values: the newest of an entity, how old they may be, and a property's history from the lake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from zhiwan.city.packs_loaded import lake, packs
from zhiwan.city.people.acting import current_actor
from zhiwan.city.people.guard import GradeTooHigh
from zhiwan.city.people.shown import sees
from zhiwan.city.registry import clock
from zhiwan.city.registry.models import Entity
from zhiwan.city.watch.models import LatestValue
from zhiwan.city.watch.queries.words import plain, property_of, shown_value
from zhiwan.kernel.facts.observations import Quality
from zhiwan.kernel.guard.masking import HIDDEN
from zhiwan.kernel.lake import Aggregate
from zhiwan.kernel.packs.models import PropertyDecl, Text

#: A value older than this many cadences is shown as stale; without a cadence, older than a day.
STALE_CADENCES = 3
STALE_WITHOUT_CADENCE = timedelta(days=1)


@dataclass(frozen=True)
class LatestRow:
    property: str
    title: Text
    unit: str
    value: float | None
    shown: Text
    observed_at: datetime | None
    age: timedelta | None
    stale: bool
    flags: list[str]
    source: str
    derived: bool
    decimals: int
    masked: bool


def latest_of(entity_id: str, at: datetime | None = None) -> list[LatestRow]:
    """All declared properties of an entity; those never reported have no value."""
    now = at or clock.now()
    entity = Entity.objects.filter(id=entity_id).first()
    kind = packs().types.get(entity.type) if entity else None
    if kind is None:
        return []
    known = {one.property: one for one in LatestValue.objects.filter(entity_id=entity_id)}
    return [_latest_row(name, declared, known.get(name), now) for name, declared in kind.properties.items()]


def _latest_row(name: str, declared: PropertyDecl, row: LatestValue | None, now: datetime) -> LatestRow:
    age = now - row.observed_at if row else None
    masked = row is not None and not sees(declared.grade)
    value = row.value if row and not masked else None
    return LatestRow(
        property=name,
        title=declared.title,
        unit=declared.unit,
        value=value,
        shown=plain(HIDDEN) if masked else shown_value(declared, value),
        observed_at=row.observed_at if row else None,
        age=age,
        stale=age is None or age > stale_after(declared),
        flags=[str(flag.name) for flag in Quality if flag and row and row.quality & flag],
        source=row.source if row else "",
        derived=declared.derived,
        decimals=declared.decimals,
        masked=masked,
    )


def stale_after(declared: PropertyDecl) -> timedelta:
    """How old a value may be before a screen calls it stale."""
    return STALE_CADENCES * declared.cadence if declared.cadence else STALE_WITHOUT_CADENCE


def require_grade(declared: PropertyDecl | None) -> None:
    """Raises GradeTooHigh for a property above what the acting post sees: a series cannot be masked."""
    if declared is not None and not sees(declared.grade):
        actor = current_actor()
        raise GradeTooHigh(post=actor.name if actor else "nobody", grade=declared.grade)


def history(
    entity_id: str,
    property: str,
    start: datetime,
    end: datetime,
    every: timedelta | None = None,
    aggregate: Aggregate = "mean",
) -> list[tuple[datetime, float, int | None]]:
    """Values of a property from the lake, late corrections applied; [] when the post may not see the entity.

    The lake has no row security: the registry is asked first, under the post's role. Raises GradeTooHigh for a property
    above what the post sees.
    """
    entity = Entity.objects.filter(id=entity_id).first()
    if entity is None:
        return []
    require_grade(property_of(entity.type, property))
    found = lake().history(entity_id, property, start, end, every, aggregate, None)
    counted = "n" in found.columns
    return [
        (row["observed_at"], row["value"], row["n"] if counted else None)
        for row in found.iter_rows(named=True)
        if row["value"] is not None
    ]
