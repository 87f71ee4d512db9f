"""People: accounts that hold posts. No account gets a password here; a one-time link lets its holder in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.conf import settings
from django.db.models import QuerySet

from zhiwan.city.people.actions import create_link, create_user
from zhiwan.city.people.models import Post, User
from zhiwan.city.people.roles import role_book
from zhiwan.city.people.ways_in.residents import PUBLIC
from zhiwan.city.registry.lists.kind import Kind, Taken
from zhiwan.kernel.sense.sheets import Cells, Column, Sheet, words

LINK_MINUTES = 3 * 24 * 60  # a list is handed out over a weekend
_LANGUAGES = {"zh-hans": "zh-hans", "en": "en"}


@dataclass(frozen=True)
class AccountDraft:
    name: str
    display_name: str
    language: str
    posts: tuple[str, ...]


def _columns() -> list[Column]:
    post = _posts().order_by("id").values_list("id", flat=True).first()
    return [
        Column(
            "account",
            words("账号", "Account"),
            words("登录名，小写字母开头", "begins with a small letter"),
            True,
            "zhang.san",
        ),
        Column("name", words("姓名", "Name"), words("页面上显示的姓名", "as shown on pages"), True, "张三"),
        Column(
            "language",
            words("语言", "Language"),
            words("zh-hans 或 en；空为中文", "zh-hans or en; empty: Chinese"),
            False,
            "zh-hans",
        ),
        Column(
            "posts", words("岗位", "Posts"), words("岗位编号，用 ; 分开", "ids of posts between ;"), True, post or ""
        ),
    ]


def _posts() -> QuerySet[Post]:
    """Posts that an office gives; those of residents and firms come by their own ways in."""
    return Post.objects.filter(valid_to=None).exclude(role__in=PUBLIC)


def _read(sheet: Sheet) -> Callable[[Cells], object]:
    posts = {id: id for id in _posts().values_list("id", flat=True)}
    names = set(User.objects.values_list("username", flat=True))
    seen: dict[str, int] = {}

    held_as = {one.id: one.shipped_role for one in Post.objects.filter(valid_to=None)}

    def read(cells: Cells) -> AccountDraft:
        name = cells.id("account", r"[a-z][a-z0-9_.-]{0,63}", "zhang.san")
        cells.twice("account", seen, name)
        if name in names:
            cells.fail(
                "account",
                "KNOWN",
                words("账号已存在", "the account exists already"),
                words("换一个账号名，或删除这一行", "choose another name, or delete the row"),
            )
        wanted = cells.several("posts", posts, words("岗位", "post"))
        if conflict := role_book().conflict(held_as[id] for id in wanted):
            one, other = conflict
            cells.fail(
                "posts",
                "CONFLICT",
                words(
                    f"一个账号不能同时持有{one.title.zh}和{other.title.zh}",
                    f"no account may hold {one.title.en} and {other.title.en} together",
                ),
                words("分给两个人的两个账号", "give them to two accounts of two people"),
            )
        return AccountDraft(
            name,
            cells.text("name", required=True, most=80),
            cells.choice("language", _LANGUAGES, words("语言", "language"), required=False) or "",
            tuple(wanted),
        )

    return read


def links_travel() -> bool:
    """Whether a link may be opened on another machine: only where the pages go through HTTPS."""
    return bool(settings.SESSION_COOKIE_SECURE)


def _take(drafts: Sequence[object], at: datetime) -> Taken:
    found = Post.objects.in_bulk()
    rows: list[tuple[str, ...]] = []
    for draft in cast(Sequence[AccountDraft], drafts):
        user = create_user(
            name=draft.name,
            display_name=draft.display_name,
            password=None,
            language=draft.language,
            posts=[found[id] for id in draft.posts],
        )
        link = create_link(user=user, minutes=LINK_MINUTES, anywhere=links_travel(), at=at)
        rows.append((draft.name, draft.display_name, f"/in/{link}"))
    return Taken(len(drafts), ("account", "name", "link"), rows)


PEOPLE = Kind("people", words("人员", "People"), _columns, _read, _take)
