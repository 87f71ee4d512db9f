"""The menu: what there is to open, in the order of the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import resolve, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from zhiwan.city.people import guard
from zhiwan.city.people.acting import is_public
from zhiwan.city.people.routes import action_of


@dataclass(frozen=True)
class Entry:
    """One line of the menu. `counted` names the figure beside it (portal/frame.py)."""

    view: str
    title: Any
    icon: str
    counted: str = ""


MENU: tuple[tuple[Any, tuple[Entry, ...]], ...] = (
    (
        gettext_lazy("运行"),
        (
            Entry("map", gettext_lazy("指挥图"), icon="map-2"),
            Entry("alarms", gettext_lazy("告警"), icon="bell", counted="alarms"),
            Entry("warnings", gettext_lazy("预警"), icon="speakerphone", counted="warnings"),
            Entry("responses", gettext_lazy("响应"), icon="list-check", counted="tasks"),
            Entry("cases", gettext_lazy("案件"), icon="clipboard-list", counted="cases"),
        ),
    ),
    (
        gettext_lazy("城市"),
        (
            Entry("indicators", gettext_lazy("体征"), icon="activity-heartbeat"),
            Entry("entities", gettext_lazy("对象"), icon="building-community"),
        ),
    ),
    (
        gettext_lazy("数据"),
        (
            Entry("set_aside", gettext_lazy("待处理数据"), icon="inbox", counted="set_aside"),
            Entry("quality", gettext_lazy("数据质量"), icon="chart-dots"),
            Entry("personal", gettext_lazy("个人信息导出"), icon="user-share", counted="personal"),
            Entry("imports", gettext_lazy("导入历史"), icon="file-import"),
        ),
    ),
    (
        gettext_lazy("平台"),
        (
            Entry("rules", gettext_lazy("规则"), icon="scale", counted="amendments"),
            Entry("purposes", gettext_lazy("使用目的"), icon="fingerprint"),
            Entry("health", gettext_lazy("运行状态"), icon="server-2"),
            Entry("backups", gettext_lazy("备份"), icon="database-export"),
            Entry("audit", gettext_lazy("审计"), icon="shield-check"),
            Entry("mission", gettext_lazy("任务对照"), icon="list-details"),
            Entry("setup", gettext_lazy("首次配置"), icon="settings"),
            Entry("accounts", gettext_lazy("账号管理"), icon="users"),
            Entry("firms", gettext_lazy("企业登记"), icon="building-store"),
            Entry("story", gettext_lazy("推演"), icon="masks-theater"),
        ),
    ),
)


def menu_for(path: str, counts: dict[str, int]) -> list[dict[str, Any]]:
    """The menu as the template draws it: what the post may open. The entry whose address begins the path is current."""
    sections = []
    for title, entries in MENU:
        rows = []
        for entry in entries:
            url = reverse(f"portal:{entry.view}")
            if not leads_somewhere(url):
                continue
            current = path == url or (url != "/" and path.startswith(url + "/"))
            count = counts.get(entry.counted, 0)
            rows.append(
                {"url": url, "title": entry.title, "icon": entry.icon, "current": current, "count": count,
                 "shown": "" if not count else str(count) if count < 1000 else _("999+")}
            )  # fmt: skip
        if rows:
            sections.append({"title": title, "entries": rows})
    return sections


def leads_somewhere(url: str) -> bool:
    """Whether the acting post may open a page of ours: a link that would be refused is not drawn."""
    match = resolve(url)
    route = action_of(match.func)
    action = route.action(match.kwargs) if route is not None else None
    return action is not None and guard.may_open(action)


def home() -> str:
    """Where a post begins that has no command map: the first page of its menu. Residents, firms and who has no such
    page begin with their own account."""
    if is_public():
        return reverse("portal:own")
    for _title, entries in MENU:
        for entry in entries:
            if leads_somewhere(url := reverse(f"portal:{entry.view}")):
                return url
    return reverse("portal:own")
