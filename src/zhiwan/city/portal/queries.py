"""Reads that only pages need, across apps: where alarms are open on the map, and the map's facts as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zhiwan.city.packs_loaded import packs
from zhiwan.city.paging import Page
from zhiwan.city.people.shown import sees
from zhiwan.city.registry.queries import EntityRow, entities
from zhiwan.city.watch.models import Alarm, AlarmState, LatestValue
from zhiwan.city.watch.queries.alarms import AlarmRow, alarm_row
from zhiwan.city.watch.queries.values import stale_after
from zhiwan.city.watch.queries.words import property_of, shown_value
from zhiwan.kernel.packs.models import Text


@dataclass(frozen=True)
class MapRow:
    """One entity of the map as a table row: the value of its layer's property and its worst open alarm."""

    entity: EntityRow
    property: Text
    name: str
    shown: Text
    unit: str
    decimals: int
    observed_at: datetime | None
    stale_seconds: int
    alarm: AlarmRow | None


def alarm_pins(most: int) -> list[dict[str, Any]]:
    """Open alarms that have a position, the worst first; one pin for each entity."""
    found = (
        Alarm.objects.exclude(state__in=AlarmState.ended())
        .filter(entity__lon__isnull=False)
        .order_by("-rank", "-opened_at")
        .select_related("entity", "acknowledged_by")[: most * 2]
    )
    pins: dict[str, dict[str, Any]] = {}
    for row in map(alarm_row, found):
        at = row.entity
        pin = {"id": row.id, "entity": at.id, "lon": at.lon, "lat": at.lat, "tone": row.level.tone}
        pins.setdefault(at.id, pin | {"message": row.message.model_dump()})
    return list(pins.values())[:most]


def map_table(kind: str | None, town: str | None, page: int, size: int) -> Page[MapRow]:
    """A page of entities with what the map shows of them."""
    shown_property = {layer.type: layer.property for _, layer in reversed(packs().layers)}
    found = entities(type=kind, town=town, page=page, size=size)
    ids = [row.id for row in found.rows]
    latest = {(one.entity_id, one.property): one for one in LatestValue.objects.filter(entity_id__in=ids)}
    found_open = Alarm.objects.filter(entity_id__in=ids).exclude(state__in=AlarmState.ended())
    worst = {
        one.entity_id: alarm_row(one) for one in found_open.select_related("entity", "acknowledged_by").order_by("rank")
    }
    rows = [_map_row(row, shown_property.get(row.type), latest, worst.get(row.id)) for row in found.rows]
    return Page(rows, found.total, found.page, found.size)


def _map_row(
    row: EntityRow, name: str | None, latest: dict[tuple[str, str], LatestValue], alarm: AlarmRow | None
) -> MapRow:
    declared = property_of(row.type, name) if name else None
    value = latest.get((row.id, name)) if name and declared and sees(declared.grade) else None
    return MapRow(
        entity=row,
        property=declared.title if declared else Text(zh="—", en="—"),
        name=name or "",
        shown=shown_value(declared, value.value if value else None),
        unit=declared.unit if declared else "",
        decimals=declared.decimals if declared else 2,
        observed_at=value.observed_at if value else None,
        stale_seconds=int(stale_after(declared).total_seconds()) if declared else 0,
        alarm=alarm,
    )
