"""Measured and computed values as they are now: latest values, the map, vital signs; and a property's history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Q

from zhiwan.city.packs_loaded import lake, packs
from zhiwan.city.people.acting import current_actor
from zhiwan.city.people.guard import GradeTooHigh
from zhiwan.city.people.shown import sees
from zhiwan.city.registry import clock
from zhiwan.city.registry.models import Area, Device, Entity
from zhiwan.city.registry.queries import area_title
from zhiwan.city.watch.models import Alarm, AlarmState, IndicatorNow, LatestValue, SetAside, Warning, WarningState
from zhiwan.city.watch.queries.words import plain, property_of, shown_value
from zhiwan.kernel.facts.observations import Quality
from zhiwan.kernel.guard.masking import HIDDEN
from zhiwan.kernel.lake import Aggregate
from zhiwan.kernel.packs.models import Band, Indicator, Layer, PropertyDecl, Text

#: A value older than this many cadences is shown as stale; without a cadence, older than a day.
STALE_CADENCES = 3
STALE_WITHOUT_CADENCE = timedelta(days=1)


@dataclass(frozen=True)
class Overview:
    """The figures above the map."""

    open_alarms: int
    unacknowledged: int
    by_tone: dict[str, int]
    devices: int
    simulated: int
    reporting: int  # entities with a value in the last hour
    latest_reading_at: datetime | None
    set_aside: int
    warnings_in_force: int
    as_of: datetime


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


@dataclass(frozen=True)
class IndicatorRow:
    id: str
    title: Text
    unit: str
    pack: str
    area: str
    area_title: Text
    value: float | None
    shown: str
    tone: str
    band: Text | None
    n: int
    stale: int
    at: datetime | None
    owner: Text
    worse: str


def overview(at: datetime | None = None) -> Overview:
    """Five small counts; each is served by a partial index or a short table."""
    now = at or clock.now()
    open_alarms = Alarm.objects.exclude(state__in=AlarmState.ended())
    by_tone = dict(open_alarms.values_list("tone").annotate(n=Count("id")).order_by())
    values = LatestValue.objects.aggregate(
        last=Max("recorded_at"),
        reporting=Count("entity_id", distinct=True, filter=Q(observed_at__gt=now - timedelta(hours=1))),
    )
    devices = Device.objects.aggregate(all=Count("id"), simulated=Count("id", filter=Q(simulated=True)))
    return Overview(
        open_alarms=sum(by_tone.values()),
        unacknowledged=open_alarms.filter(acknowledged_at=None).count(),
        by_tone=by_tone,
        devices=devices["all"],
        simulated=devices["simulated"],
        reporting=values["reporting"],
        latest_reading_at=values["last"],
        set_aside=SetAside.objects.filter(state="open").count(),
        warnings_in_force=Warning.objects.filter(state=WarningState.PUBLISHED).count(),
        as_of=now,
    )


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


_MAP = """
-- map_state: one row per placed entity with the newest value of its layer's property and its worst open alarm
SELECT e.id, e.type, e.name, e.name_en, e.lon, e.lat, e.town, v.value, v.observed_at, a.rank, a.tone
FROM registry_entity e
LEFT JOIN watch_latestvalue v ON v.entity_id = e.id AND v.property = (%s::jsonb ->> e.type)
LEFT JOIN (
    SELECT DISTINCT ON (entity_id) entity_id, rank, tone FROM watch_alarm
    WHERE state IN ('open', 'latched') ORDER BY entity_id, rank DESC
) a ON a.entity_id = e.id
WHERE e.active AND e.lon IS NOT NULL AND e.type = ANY (%s)
ORDER BY e.type, e.id
"""


MAP_COLUMNS = (
    "id", "layer", "lon", "lat", "name", "name_en", "town", "value", "observed_at", "tone", "alarm_rank", "alarm_tone",
)  # fmt: skip


def map_state(types: list[str] | None = None) -> dict[str, Any]:
    """Layers and entities for the map, compact: `features` are arrays in the order of `columns`.

    layers: [{id, type, property, title{zh,en}, icon, unit, decimals, shown, choices, bands, stale_ms}]
            bands: [{upto, tone, title}]
    columns: id, layer (its number), lon, lat, name, name_en, town, value, observed_at (ms), tone (of the value),
             alarm_rank, alarm_tone (of the worst open alarm)
    """
    layers = _layers(types)
    index = {layer.type: number for number, (layer, _) in enumerate(layers)}
    properties = json.dumps({layer.type: layer.property for layer, _ in layers})
    with connection.cursor() as cursor:
        cursor.execute(_MAP, [properties, list(index)])
        rows = cursor.fetchall()
    hidden = {layer.type for layer, _ in layers if not sees(packs().type(layer.type).properties[layer.property].grade)}
    features = []
    for id, type_, name, name_en, lon, lat, town, value, observed_at, rank, tone in rows:
        bands = layers[index[type_]][1]
        value = None if type_ in hidden else value
        features.append(
            [
                id,
                index[type_],
                round(lon, 6),
                round(lat, 6),
                name,
                name_en,
                town,
                value,
                int(observed_at.timestamp() * 1000) if observed_at else None,
                tone_of(bands, value),
                rank,
                tone,
            ]
        )
    return {
        "as_of": int(clock.now().timestamp() * 1000),
        "layers": [_layer_json(layer, bands) for layer, bands in layers],
        "columns": list(MAP_COLUMNS),
        "features": features,
    }


def _layers(types: list[str] | None) -> list[tuple[Layer, list[Band]]]:
    """One layer per type (the first that is declared), with the bands that colour it."""
    chosen: dict[str, tuple[Layer, list[Band]]] = {}
    for _, layer in packs().layers:
        if layer.type not in chosen and (types is None or layer.type in types):
            indicator = _indicator(layer.indicator) if layer.indicator else None
            chosen[layer.type] = (layer, list(indicator.bands) if indicator else [])
    return list(chosen.values())


def _layer_json(layer: Layer, bands: list[Band]) -> dict[str, Any]:
    kind = packs().type(layer.type)
    declared = kind.properties[layer.property]
    return {
        "id": layer.id,
        "type": layer.type,
        "property": layer.property,
        "title": layer.title.model_dump(),
        "icon": kind.icon,
        "unit": declared.unit,
        "decimals": declared.decimals,
        "shown": layer.shown,
        "choices": [choice.title.model_dump() for choice in declared.choices],
        "bands": [{"upto": band.upto, "tone": band.tone, "title": band.title.model_dump()} for band in bands],
        "stale_ms": int(stale_after(declared).total_seconds() * 1000),
    }


def _indicator(global_id: str) -> Indicator | None:
    return next((one for pack, one in packs().indicators if f"{pack.id}.{one.id}" == global_id), None)


def band_of(bands: list[Band], value: float | None) -> Band | None:
    """The first band whose upper end holds the value (ends belong to the lower band)."""
    if value is None:
        return None
    return next((band for band in bands if band.upto is None or value <= band.upto), None)


def tone_of(bands: list[Band], value: float | None) -> str:
    """The tone of a value's band; grey without a value, blue where no bands are declared."""
    if value is None:
        return "grey"
    band = band_of(bands, value)
    return band.tone if band else "blue"


def board(area: str) -> list[IndicatorRow]:
    """All declared vital signs of an area, in the order of the packs; those never computed have no value."""
    known = {one.indicator: one for one in IndicatorNow.objects.filter(area=area)}
    return [_indicator_row(pack.id, one, area, known.get(f"{pack.id}.{one.id}")) for pack, one in packs().indicators]


def by_area(indicator: str, level: str = "town") -> list[IndicatorRow]:
    """One vital sign over all areas of a level, worst first; areas without a value last."""
    declared = _indicator(indicator)
    if declared is None:
        return []
    pack = indicator.rpartition(".")[0]
    known = {one.area: one for one in IndicatorNow.objects.filter(indicator=indicator)}
    codes = Area.objects.filter(level=level).order_by("code").values_list("code", flat=True)
    rows = [_indicator_row(pack, declared, code, known.get(code)) for code in codes]
    sign = 1 if declared.worse == "low" else -1
    return sorted(rows, key=lambda row: (row.value is None, sign * (row.value or 0), row.area))


def _indicator_row(pack: str, declared: Indicator, area: str, row: IndicatorNow | None) -> IndicatorRow:
    value = row.value if row else None
    band = band_of(list(declared.bands), value)
    return IndicatorRow(
        id=f"{pack}.{declared.id}",
        title=declared.title,
        unit=declared.unit,
        pack=pack,
        area=area,
        area_title=area_title(area),
        value=value,
        shown="—" if value is None else f"{value:.{declared.decimals}f}",
        tone=tone_of(list(declared.bands), value),
        band=band.title if band else None,
        n=row.n if row else 0,
        stale=row.stale if row else 0,
        at=row.at if row else None,
        owner=declared.owner,
        worse=declared.worse,
    )


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
