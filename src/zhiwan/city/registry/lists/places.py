"""The place itself, and its areas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from zhiwan.city.registry.founding import AreaDraft, PlaceDraft, describe_place, save_areas
from zhiwan.city.registry.lists.kind import Kind, Taken
from zhiwan.city.registry.models import Area, Place
from zhiwan.kernel.facts.areas import is_area, parent_area
from zhiwan.kernel.sense.sheets import Cells, Column, Sheet, words


def _place_columns() -> list[Column]:
    place = Place.objects.first()
    west, south, east, north = (f"{one:.4f}" for one in place.bounds) if place else ("", "", "", "")
    return [
        Column(
            "code",
            words("区划代码", "Code"),
            words("6 位，与安装的城区一致", "6 digits, that of the installed place"),
            True,
            place.code if place else "",
        ),
        Column(
            "name", words("名称", "Name"), words("城区名称", "name of the place"), True, place.name_zh if place else ""
        ),
        Column(
            "name_en",
            words("英文名", "English name"),
            words("英文页面用", "for English pages"),
            True,
            place.name_en if place else "",
        ),
        Column(
            "west",
            words("西界", "West"),
            words("经度，WGS 84；四界要么都填，要么都空", "longitude, WGS 84; all four bounds or none"),
            False,
            west,
        ),
        Column("south", words("南界", "South"), words("纬度", "latitude"), False, south),
        Column("east", words("东界", "East"), words("经度", "longitude"), False, east),
        Column("north", words("北界", "North"), words("纬度", "latitude"), False, north),
    ]


def _read_place(sheet: Sheet) -> Callable[[Cells], object]:
    codes = dict.fromkeys(Place.objects.values_list("code", flat=True), True)
    seen: dict[str, int] = {}

    def read(cells: Cells) -> PlaceDraft:
        cells.choice("code", codes, words("城区（以安装的为准）", "place installed here"))
        cells.twice("code", seen, cells.row.cells.get("code", ""))
        filled = [one for one in ("west", "south", "east", "north") if cells.row.cells.get(one)]
        bounds = None
        if filled:
            west = cells.number("west", -180, 180, required=True)
            south = cells.number("south", -90, 90, required=True)
            east = cells.number("east", -180, 180, required=True)
            north = cells.number("north", -90, 90, required=True)
            if None not in (west, south, east, north):
                bounds = cast(tuple[float, float, float, float], (west, south, east, north))
                if not (bounds[0] < bounds[2] and bounds[1] < bounds[3]):
                    cells.fail(
                        "west",
                        "BAD_BOUNDS",
                        words("西界应小于东界，南界应小于北界", "west lies before east, south below north"),
                        words("核对四个数", "compare the four numbers"),
                    )
        return PlaceDraft(cells.text("name", required=True, most=80), cells.text("name_en", required=True), bounds)

    return read


def _take_place(drafts: Sequence[object], at: datetime) -> Taken:
    for draft in cast(Sequence[PlaceDraft], drafts):
        describe_place(draft=draft, at=at)
    return Taken(len(drafts))


def _area_columns() -> list[Column]:
    place = Place.objects.first()
    example = f"{place.code}999" if place else ""
    return [
        Column(
            "code",
            words("区划代码", "Code"),
            words(
                "9 位街镇、12 位村居、15 位网格，以城区代码开头",
                "9 digits town, 12 village, 15 grid; begins with the place's code",
            ),
            True,
            example,
        ),
        Column("name", words("名称", "Name"), words("中文名称", "Chinese name"), True, "示例街道"),
        Column("name_en", words("英文名", "English name"), words("可空", "may be empty"), False, "Example Subdistrict"),
        Column(
            "parent",
            words("上级代码", "Code above"),
            words("空：按代码前缀", "empty: by the code's beginning"),
            False,
            "",
        ),
        Column("lon", words("经度", "Longitude"), words("驻地经度，WGS 84", "of the seat, WGS 84"), False, ""),
        Column("lat", words("纬度", "Latitude"), words("驻地纬度，WGS 84", "of the seat, WGS 84"), False, ""),
        Column(
            "synthetic",
            words("示意", "Approximate"),
            words("是：位置为示意，不是测绘", "yes: placed for display, not surveyed"),
            False,
            "是",
        ),
    ]


def _read_areas(sheet: Sheet) -> Callable[[Cells], object]:
    place = Place.objects.first()
    prefix = place.code if place else ""
    known = set(Area.objects.values_list("code", flat=True)) | {row.cells.get("code", "") for row in sheet.rows}
    seen: dict[str, int] = {}

    def read(cells: Cells) -> AreaDraft:
        code = cells.text("code", required=True)
        cells.twice("code", seen, code)
        if code and not (is_area(code) and code.startswith(prefix) and len(code) > len(prefix)):
            cells.fail(
                "code",
                "BAD_CODE",
                words("不是本城区的区划代码", "no area code of this place"),
                words(
                    f"以 {prefix} 开头，共 9、12 或 15 位数字", f"it begins with {prefix} and has 9, 12 or 15 digits"
                ),
            )
            parent = ""
        else:
            parent = cells.text("parent") or (parent_area(code) if code else "") or ""
            if parent and (parent not in known or not code.startswith(parent)):
                cells.fail(
                    "parent" if cells.row.cells.get("parent") else "code",
                    "NO_PARENT",
                    words(f"上级区域 {parent} 没有登记", f"the area above it, {parent}, is not registered"),
                    words("在表中加上上级区域一行", "add the row of the area above it"),
                )
        lon, lat = position(cells)
        return AreaDraft(
            code,
            cells.text("name", required=True, most=80),
            cells.text("name_en"),
            parent,
            lon,
            lat,
            cells.flag("synthetic"),
        )

    return read


def position(cells: Cells) -> tuple[float | None, float | None]:
    """lon and lat: both or none."""
    lon, lat = cells.number("lon", -180, 180), cells.number("lat", -90, 90)
    if not cells.problems and (lon is None) != (lat is None):
        cells.fail(
            "lon" if lon is None else "lat",
            "MISSING",
            words("经度和纬度要一起填", "longitude and latitude come together"),
            words("补上这一格，或两格都留空", "fill in the cell, or leave both empty"),
        )
    return lon, lat


def _take_areas(drafts: Sequence[object], at: datetime) -> Taken:
    return Taken(save_areas(drafts=cast(Sequence[AreaDraft], drafts), at=at))


PLACE = Kind("place", words("城区", "Place"), _place_columns, _read_place, _take_place)
AREAS = Kind("areas", words("区域", "Areas"), _area_columns, _read_areas, _take_areas)
