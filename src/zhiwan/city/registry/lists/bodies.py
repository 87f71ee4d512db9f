"""Bodies of the place (责任单位), and their posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from zhiwan.city.people.models import Organisation
from zhiwan.city.people.organisation import BodyDraft, PostDraft, save_bodies, save_posts
from zhiwan.city.registry.lists.kind import Kind, Taken
from zhiwan.city.registry.models import Area, Place
from zhiwan.kernel.sense.sheets import Cells, Column, Sheet, words

SLUG = r"[a-z][a-z0-9_-]{0,63}"


def _body_columns() -> list[Column]:
    return [
        Column(
            "id",
            words("编号", "Id"),
            words("小写字母开头；以后不改", "begins with a small letter; stays the same"),
            True,
            "water-office",
        ),
        Column("name", words("名称", "Name"), words("单位全称", "full name of the body"), True, "示例水务所"),
        Column(
            "name_en", words("英文名", "English name"), words("空：同名称", "empty: as the name"), False, "Water office"
        ),
        Column(
            "area",
            words("区域", "Area"),
            words("单位所属区域的代码", "code of the area it belongs to"),
            True,
            _district(),
        ),
    ]


def _district() -> str:
    place = Place.objects.first()
    return place.code if place else ""


def _read_bodies(sheet: Sheet) -> Callable[[Cells], object]:
    areas = {code: code for code in Area.objects.values_list("code", flat=True)}
    seen: dict[str, int] = {}

    def read(cells: Cells) -> BodyDraft:
        id = cells.id("id", SLUG, "water-office")
        cells.twice("id", seen, id)
        name = cells.text("name", required=True)
        return BodyDraft(
            id, name, cells.text("name_en") or name, cells.choice("area", areas, words("区域", "area")) or ""
        )

    return read


def _take_bodies(drafts: Sequence[object], at: datetime) -> Taken:
    return Taken(save_bodies(drafts=cast(Sequence[BodyDraft], drafts), at=at))


def _post_columns() -> list[Column]:
    return [
        Column(
            "id",
            words("编号", "Id"),
            words("小写字母开头；以后不改", "begins with a small letter; stays the same"),
            True,
            "water-desk",
        ),
        Column("role", words("角色", "Role"), words("见“角色”表", "see the roles below"), True, "water_patrol"),
        Column("body", words("单位", "Body"), words("单位编号", "id of the body"), True, "water-office"),
        Column("title", words("岗位名称", "Title"), words("中文名称", "Chinese title"), True, "示例值班岗"),
        Column(
            "title_en", words("英文名", "English title"), words("空：同名称", "empty: as the title"), False, "Duty desk"
        ),
        Column(
            "towns",
            words("管辖街镇", "Towns"),
            words("街镇代码，用 ; 分开；填 district 为全区", "codes of towns between ; — or district for the whole"),
            True,
            "district",
        ),
    ]


def roles() -> dict[str, dict[str, str]]:
    """The roles that the place declares."""
    place = Place.objects.first()
    return dict(place.settings.get("roles", {})) if place else {}


def _read_posts(sheet: Sheet) -> Callable[[Cells], object]:
    known_roles = {id: id for id in roles()}
    bodies = {id: id for id in Organisation.objects.values_list("id", flat=True)}
    towns = {code: code for code in Area.objects.filter(level="town").values_list("code", flat=True)}
    towns["district"] = ""
    seen: dict[str, int] = {}

    def read(cells: Cells) -> PostDraft:
        id = cells.id("id", SLUG, "water-desk")
        cells.twice("id", seen, id)
        title = cells.text("title", required=True)
        scope = cells.several("towns", towns, words("街镇", "town"))
        return PostDraft(
            id,
            cells.choice("role", known_roles, words("角色", "role")) or "",
            cells.choice("body", bodies, words("单位", "body")) or "",
            title,
            cells.text("title_en") or title,
            () if "" in scope else tuple(scope),
        )

    return read


def _take_posts(drafts: Sequence[object], at: datetime) -> Taken:
    return Taken(save_posts(drafts=cast(Sequence[PostDraft], drafts), at=at))


BODIES = Kind("bodies", words("单位", "Bodies"), _body_columns, _read_bodies, _take_bodies)
POSTS = Kind("posts", words("岗位", "Posts"), _post_columns, _read_posts, _take_posts)
