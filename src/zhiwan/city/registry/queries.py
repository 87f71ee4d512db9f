"""Reads of the registry. Titles are `Text(zh, en)`; a page shows the one of its language.

current_place() -> Place | None                        one row: name, centre, bounds, outline, base_map, settings
role_title(role) -> Text
areas(level=None, parent=None) -> list[Area]           rows of the table, by code
area_names() -> dict[code, Text]                       kept for a minute: names change rarely
area_title(code) -> Text                               "山阳镇 向阳村": town and village
search(text, limit=12, things=True) -> list[Found]       villages, towns; entities, devices (cases: cases.queries.find)
entities(type=None, town=None, area=None, text=None, page=1, size=50) -> Page[EntityRow]
entity_detail(id) -> EntityDetail | None               with declared fields, links both ways, devices, zones
type_counts() -> list[TypeCount]                       declared types with how many entities there are
device_counts() -> DeviceCounts                        registered, enabled, simulated
zones() -> list[Zone]
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from zhiwan.city.packs_loaded import packs
from zhiwan.city.paging import Page, paged
from zhiwan.city.people.guard import subject_of
from zhiwan.city.people.roles import role_of
from zhiwan.city.people.shown import shown
from zhiwan.city.registry.models import Area, Device, Entity, Place, Relation, Zone
from zhiwan.kernel.guard.people import Subject
from zhiwan.kernel.packs.models import FieldDecl, Text


@dataclass(frozen=True)
class Found:
    """One hit of the search. `kind`: village, town, entity or device."""

    kind: str
    id: str
    title: str
    subtitle: Text
    lon: float | None
    lat: float | None
    entity: str | None = None


@dataclass(frozen=True)
class EntityRow:
    id: str
    type: str
    type_title: Text
    icon: str
    name: str
    name_en: str
    area: str
    area_title: Text
    town: str
    lon: float | None
    lat: float | None
    simulated: bool
    active: bool = True
    inactive_since: datetime | None = None

    @property
    def title(self) -> Text:
        return Text(zh=self.name, en=self.name_en or self.name)


@dataclass(frozen=True)
class FieldRow:
    id: str
    title: Text
    value: Any  # the mask, where it is masked
    shown: Text
    unit: str | None
    grade: int
    kind: str | None
    masked: bool


@dataclass(frozen=True)
class LinkRow:
    link: str
    title: Text
    outgoing: bool
    entity: EntityRow


@dataclass(frozen=True)
class DeviceRow:
    id: str
    entity: str
    enabled: bool
    simulated: bool


@dataclass(frozen=True)
class EntityDetail:
    row: EntityRow
    subject: Subject  # as the guard sees it
    fields: list[FieldRow]
    links: list[LinkRow]
    devices: list[DeviceRow]
    zones: list[Zone]


@dataclass(frozen=True)
class TypeCount:
    type: str
    title: Text
    icon: str
    pack: str
    count: int


@dataclass(frozen=True)
class DeviceCounts:
    registered: int
    enabled: int
    simulated: int


def current_place() -> Place | None:
    """The district of this installation; None before a place was loaded."""
    return Place.objects.first()


def role_title(role: str) -> Text:
    """The words of a role id as the place declares them, else those it is shipped with."""
    place = current_place()
    titles = (place.settings.get("roles") or {}) if place else {}
    if role in titles:
        return Text(**titles[role])
    shipped = role_of(role)
    return shipped.title if shipped is not None else Text(zh=role, en=role)


def areas(level: str | None = None, parent: str | None = None) -> list[Area]:
    """Areas by code, without the geometry of others than asked."""
    found = Area.objects.order_by("code")
    if level is not None:
        found = found.filter(level=level)
    if parent is not None:
        found = found.filter(parent=parent)
    return list(found)


_names: tuple[float, dict[str, Text]] = (0.0, {})


def area_names() -> dict[str, Text]:
    """Names of all areas, read at most once a minute by each process."""
    global _names
    read_at, known = _names
    if not known or time.monotonic() - read_at > 60:
        rows = Area.objects.values_list("code", "name", "name_en")
        known = {code: Text(zh=name, en=name_en or name) for code, name, name_en in rows}
        _names = (time.monotonic(), known)
    return known


def area_title(code: str) -> Text:
    """Town and village in one; the district's name for what belongs to no town."""
    names = area_names()
    parts = [names[code[:n]] for n in (9, 12) if len(code) >= n and code[:n] in names]
    if not parts:
        return names.get(code) or Text(zh=code or "全区", en=code or "whole district")
    return Text(zh=" ".join(part.zh for part in parts), en=", ".join(part.en for part in reversed(parts)))


def search(text: str, limit: int = 12, *, things: bool = True) -> list[Found]:
    """Areas first, then entities by name or id, then devices by id (both are `things`). Fields are never searched."""
    text = text.strip()
    if not text:
        return []
    hits = [
        Found(one.level, one.code, one.name, area_title(one.parent), one.lon, one.lat)
        for one in Area.objects.filter(Q(name__icontains=text) | Q(code__startswith=text))
        .filter(level__in=["town", "village"])
        .order_by("level", "code")[:limit]
    ]
    if not things:
        return hits
    matching = Q(name__icontains=text) | Q(name_en__icontains=text) | Q(id__icontains=text)
    for entity in Entity.objects.filter(matching, active=True).order_by("id")[: limit - len(hits)]:
        row = entity_row(entity)
        hits.append(Found("entity", row.id, row.name, row.area_title, row.lon, row.lat, row.id))
    known = {hit.id for hit in hits}
    if len(hits) < limit:
        devices = Device.objects.filter(id__icontains=text).exclude(id__in=known).select_related("entity")
        for device in devices.order_by("id")[: limit - len(hits)]:
            at = device.entity
            hits.append(
                Found("device", device.id, device.id, Text(zh=at.name, en=at.name_en or at.name), at.lon, at.lat, at.id)
            )
    return hits


def entity_row(entity: Entity) -> EntityRow:
    """An entity with the words of its type and area."""
    kind = packs().types.get(entity.type)
    return EntityRow(
        id=entity.id,
        type=entity.type,
        type_title=kind.title if kind else Text(zh=entity.type, en=entity.type),
        icon=kind.icon if kind else "map-pin",
        name=entity.name,
        name_en=entity.name_en,
        area=entity.area,
        area_title=area_title(entity.area),
        town=entity.town,
        lon=entity.lon,
        lat=entity.lat,
        simulated=entity.simulated,
        active=entity.active,
        inactive_since=entity.inactive_since,
    )


def entities(
    type: str | None = None,
    town: str | None = None,
    area: str | None = None,
    text: str | None = None,
    active: bool = True,
    page: int = 1,
    size: int = 50,
) -> Page[EntityRow]:
    """Entities in use (or those that are not) by id. `area` is a prefix."""
    found = Entity.objects.filter(active=active).order_by("id")
    if type:
        found = found.filter(type=type)
    if town:
        found = found.filter(town=town)
    if area:
        found = found.filter(area__startswith=area)
    if text:
        found = found.filter(Q(name__icontains=text) | Q(name_en__icontains=text) | Q(id__icontains=text))
    return paged(found, entity_row, page, size)


def entity_detail(id: str) -> EntityDetail | None:
    """Everything the registry knows of an entity; None when there is none that the post may see."""
    entity = Entity.objects.filter(id=id).first()
    if entity is None:
        return None
    links = [
        *(_link(one.link, entity, one.to_entity, True) for one in _relations(from_entity=entity)),
        *(_link(one.link, one.from_entity, one.from_entity, False) for one in _relations(to_entity=entity)),
    ]
    return EntityDetail(
        row=entity_row(entity),
        subject=subject_of(entity),
        fields=_field_rows(entity),
        links=links,
        devices=[
            DeviceRow(device.id, id, device.enabled, device.simulated)
            for device in Device.objects.filter(entity=entity).order_by("id")
        ],
        zones=list(Zone.objects.filter(members__entity=entity).order_by("id")),
    )


def _relations(**which: Entity) -> list[Relation]:
    found = Relation.objects.filter(**which).select_related("from_entity", "to_entity")
    return list(found.order_by("link", "to_entity_id", "from_entity_id")[:100])


def _link(link: str, owner: Entity, other: Entity, outgoing: bool) -> LinkRow:
    kind = packs().types.get(owner.type)
    declared = kind.links.get(link) if kind else None
    return LinkRow(link, declared.title if declared else Text(zh=link, en=link), outgoing, entity_row(other))


def _field_rows(entity: Entity) -> list[FieldRow]:
    kind = packs().types.get(entity.type)
    return [field_row(name, one, entity.fields.get(name)) for name, one in (kind.fields if kind else {}).items()]


def field_row(name: str, declared: FieldDecl, value: Any) -> FieldRow:
    """A field as the acting post may see it."""
    told = shown(value, grade=declared.grade, kind=declared.kind)
    text = Text(zh="—", en="—") if told.value is None else Text(zh=str(told.value), en=str(told.value))
    if not told.masked:
        text = next((choice.title for choice in declared.choices if choice.id == value), text)
        if isinstance(value, bool):
            text = Text(zh="是" if value else "否", en="yes" if value else "no")
    unit = None if told.masked else declared.unit
    return FieldRow(name, declared.title, told.value, text, unit, declared.grade, declared.kind, told.masked)


def type_counts() -> list[TypeCount]:
    """Every declared type with its number of active entities, packs in order."""
    counted = dict(Entity.objects.filter(active=True).values_list("type").annotate(n=Count("id")))
    return [
        TypeCount(kind.id, kind.title, kind.icon, pack.id, counted.get(kind.id, 0))
        for pack in packs().packs
        for kind in pack.types
    ]


def device_counts() -> DeviceCounts:
    """How many devices there are that the post may see."""
    counted = Device.objects.aggregate(
        registered=Count("id"),
        enabled=Count("id", filter=Q(enabled=True)),
        simulated=Count("id", filter=Q(simulated=True)),
    )
    return DeviceCounts(**counted)


def zones() -> list[Zone]:
    """All zones with their polygons."""
    return list(Zone.objects.order_by("id"))
