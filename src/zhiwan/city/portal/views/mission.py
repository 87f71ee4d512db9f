"""What of the plan works: each row with its packs, screens, tests and their last result."""

from __future__ import annotations

from collections import Counter

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.mission import MissionRow, mission_rows
from zhiwan.city.portal.templatetags.portal import moment_text, said
from zhiwan.city.portal.views.base import chosen, csv_download


def _states() -> dict[str, tuple[str, str]]:
    return {
        "proved": (_("测试通过"), "green"),
        "failing": (_("测试未通过"), "red"),
        "tested": (_("有测试，尚无结果"), "blue"),
        "declared": (_("已声明，尚无对应测试"), "yellow"),
        "empty": (_("空"), "grey"),
    }


def _parts() -> dict[str, str]:
    return {
        "A": _("A 感知全域"),
        "B": _("B 数融百业"),
        "C": _("C 云联万家"),
        "D": _("D 数字治理"),
        "E": _("E 韧性可控"),
        "F": _("F 保障措施"),
    }


@require_GET
@opens("mission.read")
def mission(request: HttpRequest) -> HttpResponseBase:
    """All rows; filters by part and state, search over id, titles and packs."""
    everything = mission_rows()
    states = _states()
    part, state = chosen(request, "part", _parts()), chosen(request, "state", states)
    wished = request.GET.get("q", "").strip()[:60]
    rows = [
        row for row in everything
        if (not part or row.part == part) and (not state or row.state == state) and _holds(row, wished)
    ]  # fmt: skip
    if request.GET.get("format") == "csv":
        return _csv(request, rows, states)
    counts = Counter(row.state for row in everything)
    context = {
        "rows": [(row, *states[row.state]) for row in rows],
        "total": len(everything),
        "counts": [(id, title, tone, counts[id]) for id, (title, tone) in states.items()],
        "parts": list(_parts().items()),
        "states": [(id, title) for id, (title, _tone) in states.items()],
        "part": part,
        "state": state,
        "q": wished,
    }
    return render(request, "portal/mission.html", context)


def _holds(row: MissionRow, wished: str) -> bool:
    packs = [text for pack in row.packs for text in (pack.id, said(pack.manifest.title))]
    return wished.lower() in " ".join([row.id, *row.title.values(), *packs]).lower()


def _csv(request: HttpRequest, rows: list[MissionRow], states: dict[str, tuple[str, str]]) -> HttpResponseBase:
    """One line for each test of a row, and one for a row without."""
    header = [_("编号"), _("名称"), _("状态"), _("应用场景"), _("页面"), _("回放"), _("测试"), _("结果"), _("时间")]
    lines = []
    for row in rows:
        packs = " ".join(pack.id for pack in row.packs)
        first = [row.id, said(row.title), states[row.state][0], packs, len(row.screens), row.replays]
        if not row.tests:
            lines.append([*first, "", "", ""])
        for test in row.tests:
            lines.append([*first, test.id, test.result, moment_text(test.at) if test.at else ""])
    return csv_download(request, "mission", header, lines, needs="mission.read")
