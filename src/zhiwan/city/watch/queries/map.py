"""What the command map shows: the figures above it, and its layers with every placed entity."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Q

from zhiwan.city.packs_loaded import packs
from zhiwan.city.registry import clock
from zhiwan.city.registry.models import Device
from zhiwan.city.watch.models import Alarm, AlarmState, LatestValue, SetAside, Warning, WarningState
from zhiwan.city.watch.queries.indicators import indicator_or_none, tone_of
from zhiwan.city.watch.queries.values import stale_after
from zhiwan.kernel.packs.models import Band, Layer


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
    features = []
    for id, type_, name, name_en, lon, lat, town, value, observed_at, rank, tone in rows:
        bands = layers[index[type_]][1]
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
            indicator = indicator_or_none(layer.indicator) if layer.indicator else None
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
