"""Devices with the things they report for. Columns beyond the common ones are the fields that packs declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from zhiwan.city.packs_loaded import packs
from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities
from zhiwan.city.registry.lists.kind import Kind, Taken
from zhiwan.city.registry.lists.places import position
from zhiwan.city.registry.models import Area, Device, Entity, Place
from zhiwan.city.registry.place import compute_zone_members
from zhiwan.kernel.packs.models import EntityType, FieldDecl
from zhiwan.kernel.sense.sheets import Cells, Column, Sheet, words

_ID = r"[A-Za-z0-9_-]{1,64}"


@dataclass(frozen=True)
class DeviceDraft:
    device: str
    entity: EntityDraft


def _columns() -> list[Column]:
    types = list(packs().types)
    place = Place.objects.first()
    common = [
        Column(
            "device",
            words("设备编号", "Device id"),
            words("设备登录用，字母、数字、- 和 _", "letters, digits, - and _"),
            True,
            "gauge-001",
        ),
        Column("entity", words("对象编号", "Entity id"), words("空：同设备编号", "empty: as the device id"), False, ""),
        Column(
            "type",
            words("类型", "Type"),
            words("应用场景声明的类型，见下", "a type that a pack declares, see below"),
            True,
            types[0] if types else "",
        ),
        Column("name", words("名称", "Name"), words("中文名称", "Chinese name"), True, "示例站"),
        Column("name_en", words("英文名", "English name"), words("可空", "may be empty"), False, "Example station"),
        Column(
            "area",
            words("区域", "Area"),
            words("所在最小区域的代码", "code of the narrowest area known"),
            True,
            place.code if place else "",
        ),
        Column("lon", words("经度", "Longitude"), words("WGS 84", "WGS 84"), False, ""),
        Column("lat", words("纬度", "Latitude"), words("WGS 84", "WGS 84"), False, ""),
    ]
    taken = {one.name for one in common}
    fields: dict[str, list[tuple[EntityType, FieldDecl]]] = {}
    for kind in packs().types.values():
        for name, declared in kind.fields.items():
            fields.setdefault(name, []).append((kind, declared))
    own = [
        Column(name, words(uses[0][1].title.zh, uses[0][1].title.en), _field_help(uses))
        for name, uses in fields.items()
        if name not in taken
    ]
    return common + own


def _field_help(uses: Sequence[tuple[EntityType, FieldDecl]]) -> dict[str, str]:
    declared = uses[0][1]
    unit = f" {declared.unit}" if declared.unit and declared.unit != "1" else ""
    choices = " / ".join(one.id for one in declared.choices)
    detail = choices or f"{declared.type}{unit}"
    return words(
        f"{detail}；用于 " + "、".join(kind.title.zh + ("（必填）" if one.required else "") for kind, one in uses),
        f"{detail}; of " + ", ".join(kind.title.en + (" (required)" if one.required else "") for kind, one in uses),
    )


def _read(sheet: Sheet) -> Callable[[Cells], object]:
    areas = {code: code for code in Area.objects.values_list("code", flat=True)}
    known = set(Device.objects.values_list("id", flat=True))
    entities = dict(Entity.objects.values_list("id", "type"))
    types = dict(packs().types)
    own = {name for kind in types.values() for name in kind.fields}
    seen: dict[str, int] = {}
    drafts: dict[str, EntityDraft] = {}

    def read(cells: Cells) -> DeviceDraft:
        device = cells.id("device", _ID, "gauge-001")
        cells.twice("device", seen, device)
        if device in known:
            cells.fail(
                "device",
                "KNOWN",
                words("设备已登记，密钥只发一次", "it is registered; a secret is given only once"),
                words("删除这一行；密钥丢失时在对象页换发", "delete the row; a lost secret is renewed, not read"),
            )
        id = cells.id("entity", _ID, "gauge-001") if cells.row.cells.get("entity") else device
        kind = cells.choice("type", types, words("类型", "type"))
        if kind is not None and entities.get(id, kind.id) != kind.id:
            cells.fail(
                "entity",
                "OTHER_TYPE",
                words(f"对象 {id} 已登记为 {entities[id]}", f"{id} is registered as a {entities[id]}"),
                words("改对象编号或类型", "change the entity id or the type"),
            )
        lon, lat = position(cells)
        draft = EntityDraft(
            id=id,
            type=kind.id if kind else "",
            name=cells.text("name", required=True),
            area=cells.choice("area", areas, words("区域", "area")) or "",
            lon=lon,
            lat=lat,
            name_en=cells.text("name_en"),
            fields=_fields(cells, kind, own) if kind else {},
        )
        if id and drafts.setdefault(id, draft) != draft:
            cells.fail(
                "entity",
                "TWICE",
                words(f"另一行对 {id} 的说法不同", f"another row says something else of {id}"),
                words("同一对象的各行要一致", "rows of one entity must agree"),
            )
        return DeviceDraft(device, draft)

    return read


def _fields(cells: Cells, kind: EntityType, own: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, declared in kind.fields.items():
        value = _field(cells, name, declared)
        if value is not None and value != "":
            found[name] = value
        elif declared.required and not any(one.column == name for one in cells.problems):
            cells.fail(
                name,
                "MISSING",
                words(f"{kind.title.zh}必须填写{declared.title.zh}", f"a {kind.title.en} needs it"),
                words("请填写这一格", "fill in the cell"),
            )
    for name in sorted(own - kind.fields.keys()):
        if cells.row.cells.get(name):
            cells.fail(
                name,
                "NOT_OF_TYPE",
                words(f"{kind.title.zh}没有这一项", f"a {kind.title.en} has no such field"),
                words("清空这一格，或改类型", "clear the cell, or change the type"),
            )
    return found


def _field(cells: Cells, name: str, declared: FieldDecl) -> Any:
    match declared.type:
        case "number":
            return cells.number(name, -1e12, 1e12)
        case "boolean":
            return cells.flag(name) if cells.row.cells.get(name) else None
        case "choice":
            known: Mapping[str, str] = {one.id: one.id for one in declared.choices}
            return cells.choice(name, known, words("选项", "choice"), required=False)
        case "date":
            return cells.day(name)
        case _:
            return cells.text(name, most=2000)


def _take(drafts: Sequence[object], at: datetime) -> Taken:
    wanted = cast(Sequence[DeviceDraft], drafts)
    save_entities(drafts=list({one.entity.id: one.entity for one in wanted}.values()), at=at)
    given = create_devices(pairs=[(one.device, one.entity.id) for one in wanted], at=at)
    compute_zone_members()
    return Taken(len(given), ("device", "secret"), list(given.items()))


DEVICES = Kind("devices", words("设备", "Devices"), _columns, _read, _take)
