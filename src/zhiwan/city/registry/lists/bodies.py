"""Bodies of the place (责任单位) in their tree, and their posts: role, body, scope, line of duty, validity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import cast

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people.models import BodyKind, Organisation
from zhiwan.city.people.organisation import BodyDraft, PostDraft, post_problem, save_bodies, save_posts
from zhiwan.city.people.roles import role_book
from zhiwan.city.registry.lists.kind import Kind, Taken
from zhiwan.city.registry.models import Area, Place, Zone
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
        Column("kind", words("类别", "Kind"), words("空为区级部门", "empty: a district office"), False, "service"),
        Column(
            "parent",
            words("上级单位", "Body above"),
            words("单位编号；空为没有上级", "id of a body; empty: none above"),
            False,
            "",
        ),
    ]


_KINDS = {kind.value: kind.value for kind in BodyKind}


def _district() -> str:
    place = Place.objects.first()
    return place.code if place else ""


def _read_bodies(sheet: Sheet) -> Callable[[Cells], object]:
    areas = {code: code for code in Area.objects.values_list("code", flat=True)}
    known = [*Organisation.objects.values_list("id", flat=True), *(row.cells.get("id", "") for row in sheet.rows)]
    bodies = {id: id for id in known}
    seen: dict[str, int] = {}

    def read(cells: Cells) -> BodyDraft:
        id = cells.id("id", SLUG, "water-office")
        cells.twice("id", seen, id)
        name = cells.text("name", required=True)
        return BodyDraft(
            id,
            name,
            cells.text("name_en") or name,
            cells.choice("area", areas, words("区域", "area")) or "",
            cells.choice("kind", _KINDS, words("类别", "kind"), required=False) or BodyKind.DISTRICT_OFFICE,
            cells.choice("parent", bodies, words("单位", "body"), required=False),
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
        Column("role", words("角色", "Role"), words("见“角色”表", "see the roles below"), True, "department_handler"),
        Column("body", words("单位", "Body"), words("单位编号", "id of the body"), True, "water-office"),
        Column("title", words("岗位名称", "Title"), words("中文名称", "Chinese title"), True, "示例值班岗"),
        Column(
            "title_en", words("英文名", "English title"), words("空：同名称", "empty: as the title"), False, "Duty desk"
        ),
        Column(
            "towns",
            words("管辖区域", "Scope"),
            words(
                "街镇、村居、网格代码或专题区编号，用 ; 分开；district 全区，own 本单位，none 不看业务（三员）",
                "codes of towns, villages, grids or ids of zones between ; — district, own (its body's), none",
            ),
            True,
            "district",
        ),
        Column(
            "classes",
            words("条线", "Lines"),
            words("应用场景编号，用 ; 分开；空为全部", "ids of packs between ; — empty: all"),
            False,
            "",
        ),
        Column("valid_from", words("生效日", "From"), words("空为立即", "empty: at once"), False, ""),
        Column("valid_to", words("失效日", "Until"), words("当天起失效；空为长期", "ended on that day"), False, ""),
    ]


def roles() -> dict[str, dict[str, str]]:
    """The roles that a post may have: the place's own and the shipped ones, in the place's words where it has some."""
    place = Place.objects.first()
    own = dict(place.settings.get("roles", {})) if place else {}
    return own | {id: role.title.model_dump() for id, role in role_book().roles.items() if id not in own}


def role_bases() -> dict[str, str]:
    """The place's own roles → the shipped role each is like."""
    place = Place.objects.first()
    return dict(place.settings.get("role_bases") or {}) if place else {}


_WHOLE = ("district", "own", "none")


def _read_posts(sheet: Sheet) -> Callable[[Cells], object]:
    known_roles, bases = {id: id for id in roles()}, role_bases()
    bodies = {id: id for id in Organisation.objects.values_list("id", flat=True)}
    areas = Area.objects.exclude(level="district").values_list("code", flat=True)
    scopes = {id: id for id in (*_WHOLE, *areas, *Zone.objects.values_list("id", flat=True))}
    classes = {pack.id: pack.id for pack in packs().packs}
    seen: dict[str, int] = {}

    def read(cells: Cells) -> PostDraft:
        id = cells.id("id", SLUG, "water-desk")
        cells.twice("id", seen, id)
        title, role = cells.text("title", required=True), cells.choice("role", known_roles, words("角色", "role")) or ""
        scope = cells.several("towns", scopes, words("区域", "area"))
        since, until = (cells.day(name) for name in ("valid_from", "valid_to"))
        draft = PostDraft(
            id,
            role,
            cells.choice("body", bodies, words("单位", "body")) or "",
            title,
            cells.text("title_en") or title,
            towns=tuple(one for one in scope if one.isdecimal() and len(one) == 9),
            zones=tuple(one for one in scope if one not in _WHOLE and not (one.isdecimal() and len(one) == 9)),
            classes=tuple(cells.several("classes", classes, words("条线", "line"))) if cells.text("classes") else (),
            scope=next((one for one in scope if one in _WHOLE), ""),
            base_role=bases.get(role, ""),
            valid_from=date.fromisoformat(since) if since else None,
            valid_to=date.fromisoformat(until) if until else None,
        )
        if role and scope and (problem := post_problem(draft.row())):
            cells.fail("towns", "SCOPE", words("角色与管辖区域不符", problem), words("见角色说明", "see the roles"))
        return draft

    return read


def _take_posts(drafts: Sequence[object], at: datetime) -> Taken:
    return Taken(save_posts(drafts=cast(Sequence[PostDraft], drafts), at=at))


BODIES = Kind("bodies", words("单位", "Bodies"), _body_columns, _read_bodies, _take_bodies)
POSTS = Kind("posts", words("岗位", "Posts"), _post_columns, _read_posts, _take_posts)
