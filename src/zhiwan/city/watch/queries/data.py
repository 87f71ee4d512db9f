"""What was not taken and how good the rest is: 待处理数据 and the data-quality figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Sum

from zhiwan.city.packs_loaded import lake, packs
from zhiwan.city.paging import Page, paged
from zhiwan.city.people.shown import sees
from zhiwan.city.registry.models import Device, Entity
from zhiwan.city.registry.queries import EntityRow, entity_row
from zhiwan.city.watch.models import DoorCounter, LatestValue, SetAside
from zhiwan.city.watch.queries.words import property_of
from zhiwan.kernel.guard.masking import HIDDEN
from zhiwan.kernel.packs.models import Text


@dataclass(frozen=True)
class SetAsideRow:
    id: int
    stream: str
    device: str
    entity: str
    town: str
    property: str
    raw: str
    code: str
    reason: Text
    hint: Text
    observed_at: datetime | None
    received_at: datetime
    state: str
    fixed: dict[str, Any] | None
    fixed_by: Text | None
    fixed_at: datetime | None
    note: str
    properties: list[str]  # what a correction may name: the device's measured properties


@dataclass(frozen=True)
class EntityQuality:
    """One entity's readings in the span: counts by flag."""

    entity: EntityRow
    total: int
    flags: dict[str, int]
    share: float  # of readings with at least one of the flags that mean a fault


@dataclass(frozen=True)
class SilentDevice:
    device: str
    entity: EntityRow
    last: datetime | None


@dataclass(frozen=True)
class DoorFigure:
    door: str
    code: str
    count: int


@dataclass(frozen=True)
class QualityFigures:
    start: datetime
    end: datetime
    total: int
    flags: dict[str, int]
    refused: dict[str, int]
    doors: list[DoorFigure]
    worst: list[EntityQuality]
    silent: list[SilentDevice] = field(default_factory=list)


#: Flags that speak of a faulty device; LATE and CORRECTION speak of the way.
FAULTS = ("RANGE", "FROZEN", "GAP", "SKEW")


def set_aside(
    state: str | None = "open",
    code: str | None = None,
    device: str | None = None,
    page: int = 1,
    size: int = 50,
) -> Page[SetAsideRow]:
    """Newest first."""
    found = SetAside.objects.select_related("fixed_by").order_by("-received_at", "-id")
    for key, value in (("state", state), ("code", code), ("device", device)):
        if value:
            found = found.filter(**{key: value})
    part = paged(found, lambda one: one, page, size)
    types = dict(Entity.objects.filter(id__in={one.entity for one in part.rows}).values_list("id", "type"))
    return Page([_row(one, types.get(one.entity, "")) for one in part.rows], part.total, part.page, part.size)


def set_aside_counts() -> list[tuple[str, int]]:
    """Open ones by reason, most frequent first."""
    found = SetAside.objects.filter(state="open").values_list("code").annotate(n=Count("id")).order_by("-n", "code")
    return list(found)


def _row(one: SetAside, type_name: str) -> SetAsideRow:
    by = one.fixed_by
    declared = property_of(type_name, one.property)
    hidden = declared is not None and not sees(declared.grade)
    return SetAsideRow(
        id=one.id,
        stream=one.stream,
        device=one.device,
        entity=one.entity,
        town=one.town,
        property=one.property,
        raw=HIDDEN if hidden else one.raw,
        code=one.code,
        reason=Text(zh=one.reason_zh or one.code, en=one.reason_en or one.code),
        hint=Text(zh=one.hint_zh or "—", en=one.hint_en or "—"),
        observed_at=one.observed_at,
        received_at=one.received_at,
        state=one.state,
        fixed=None if hidden else one.fixed,
        fixed_by=Text(zh=by.title_zh, en=by.title_en) if by else None,
        fixed_at=one.fixed_at,
        note=one.note,
        properties=measured_properties(type_name),
    )


def measured_properties(type_name: str) -> list[str]:
    """What a device of an entity of this type may report."""
    kind = packs().types.get(type_name)
    return [name for name, one in kind.properties.items() if not one.derived] if kind else []


def door_figures(start: datetime, end: datetime) -> list[DoorFigure]:
    """What each door took and refused, by hour sums that touch the span."""
    found = DoorCounter.objects.filter(hour__gte=start.replace(minute=0, second=0, microsecond=0), hour__lt=end)
    sums = found.values_list("door", "code").annotate(n=Sum("count")).order_by("door", "code")
    return [DoorFigure(door, code, count) for door, code, count in sums]


def quality(start: datetime, end: datetime, worst: int = 50) -> QualityFigures:
    """Flags of kept readings (from the lake), refusals (from the doors), and devices that fell silent.

    The lake knows no towns: its counts are cut to entities that the post may see.
    """
    counts = lake().quality_counts(start, end)
    visible = Entity.objects.in_bulk(counts["entity"].unique().to_list()) if len(counts) else {}
    flags = [name for name in counts.columns if name not in ("entity", "property", "rows", "good")]
    totals: dict[str, int] = {}
    per_entity: dict[str, dict[str, int]] = {}
    total = 0
    for row in counts.iter_rows(named=True):
        if row["entity"] not in visible:
            continue
        total += row["rows"]
        figures = per_entity.setdefault(row["entity"], {"rows": 0})
        figures["rows"] += row["rows"]
        for flag in flags:
            if row[flag]:
                figures[flag.upper()] = figures.get(flag.upper(), 0) + row[flag]
                totals[flag.upper()] = totals.get(flag.upper(), 0) + row[flag]
    ranked = []
    for id, figures in per_entity.items():
        rows = figures.pop("rows")
        bad = sum(figures.get(flag, 0) for flag in FAULTS)
        if bad:
            ranked.append((bad / max(rows, 1), id, rows, figures))
    ranked.sort(key=lambda one: (-one[0], one[1]))
    doors = door_figures(start, end)
    refused: dict[str, int] = {}
    for figure in doors:
        if figure.code != "taken":
            refused[figure.code] = refused.get(figure.code, 0) + figure.count
    return QualityFigures(
        start=start,
        end=end,
        total=total,
        flags=totals,
        refused=refused,
        doors=doors,
        worst=[
            EntityQuality(entity_row(visible[id]), rows, faults, min(1.0, share))
            for share, id, rows, faults in ranked[:worst]
        ],
        silent=silent_devices(start),
    )


def silent_devices(since: datetime, limit: int = 200) -> list[SilentDevice]:
    """Enabled devices whose entity has no value since then, longest silence first."""
    heard = LatestValue.objects.filter(recorded_at__gte=since).values("entity_id")
    quiet = (
        Device.objects.filter(enabled=True, created_at__lt=since).exclude(entity_id__in=heard).select_related("entity")
    )
    last: dict[str, datetime] = {}
    devices = list(quiet.order_by("id")[:limit])
    for value in LatestValue.objects.filter(entity_id__in=[one.entity_id for one in devices]):
        last[value.entity_id] = max(last.get(value.entity_id, value.observed_at), value.observed_at)
    found = [SilentDevice(one.id, entity_row(one.entity), last.get(one.entity_id)) for one in devices]
    return sorted(found, key=lambda one: (one.last is not None, one.last, one.device))
