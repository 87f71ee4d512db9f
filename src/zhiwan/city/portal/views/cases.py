"""Cases: what is to be done by when, one case with its steps, and the steps themselves."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.cases import actions, queries
from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import guard
from zhiwan.city.portal import words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.templatetags.portal import moment_text, said
from zhiwan.city.portal.views.base import act, chosen, csv_download, not_found, whole
from zhiwan.city.registry import clock
from zhiwan.city.registry import queries as registry

_STATES = (queries.RUNNING, "open", "taken", "handled", "closed")
_MOST_CSV = 500
_STEPS = {step: f"case.{step}" for step in actions.LEGAL}


@require_GET
@opens("case.read")
def listing(request: HttpRequest) -> HttpResponseBase:
    """Running ones by default; filters by state, kind, area and lateness."""
    now = clock.now()
    filters: dict[str, Any] = {
        "state": chosen(request, "state", _STATES) if "state" in request.GET else queries.RUNNING,
        "kind": chosen(request, "kind", (f"{pack.id}.{kind.id}" for pack, kind in packs().case_kinds)),
        "area": request.GET.get("area", "")[:15] or None,
        "late": request.GET.get("late") == "1",
    }
    if request.GET.get("format") == "csv":
        return _csv(request, queries.cases(at=now, **filters, size=_MOST_CSV).rows)
    context = {
        "page": queries.cases(at=now, **filters, page=whole(request, "page", 1)),
        "counts": queries.counts(at=now),
        "states": [(queries.RUNNING, _("办理中")), *((one, words.word("case_state", one)) for one in _STATES[1:])],
        "kinds": [(f"{pack.id}.{kind.id}", kind.title) for pack, kind in packs().case_kinds],
        "towns": registry.areas("town"),
        **filters,
    }
    return render(request, "portal/cases.html", context)


def _csv(request: HttpRequest, rows: list[queries.CaseView]) -> HttpResponseBase:
    header = [
        _("编号"),
        _("类别"),
        _("标题"),
        _("区域"),
        _("状态"),
        _("办理岗位"),
        _("立案"),
        pgettext("case", "签收"),
        _("处置"),
        _("结案"),
        _("结果"),
    ]
    lines = [
        [row.id, said(row.kind_title), said(row.title), said(registry.area_title(row.area)),
         words.word("case_state", row.state), row.handler_zh, *(moment_text(at) if at else "" for at in
         (row.opened_at, row.taken_at, row.handled_at, row.closed_at)), said(row.outcome_title)]
        for row in rows
    ]  # fmt: skip
    return csv_download(request, "cases", header, lines)


@require_GET
@opens("case.read")
def detail(request: HttpRequest, id: int) -> HttpResponse:
    """One case: what, where, why, by when, what was done, and the step that comes next."""
    found = queries.case(id, at=clock.now())
    if found is None:
        return not_found(request, pgettext("one", "案件"))
    kind = packs().case_kind(found.kind)
    context = {
        "case": found,
        "kind": kind,
        "steps": queries.steps(id),
        "legal": [step for step in _STEPS if found.state in actions.LEGAL[step] and _may(step, found)],
        "entity": registry.entity_detail(found.entity) if found.entity else None,
    }
    return render(request, "portal/case.html", context)


def _may(step: str, case: queries.CaseView) -> bool:
    return guard.may(_STEPS[step], on=case.subject, roles=[case.role])


@require_POST
@opens(_STEPS, by="step")
def move(request: HttpRequest, id: int, step: str) -> HttpResponse:
    """Take, handle or close."""
    now = clock.now()
    note = request.POST.get("note", "").strip()
    moves = {
        "take": (partial(actions.take, case_id=id, at=now), _("已签收案件。")),
        "handle": (partial(actions.handle, case_id=id, note=note, at=now), _("已登记处置结果。")),
        "close": (
            partial(actions.close, case_id=id, outcome=request.POST.get("outcome", ""), note=note, at=now),
            _("已结案，结果已计入规则得分。"),
        ),
    }
    if step not in moves or queries.case(id, at=now) is None:
        return not_found(request, pgettext("one", "案件"))
    action, done = moves[step]
    return act(request, action, done, reverse("portal:case", args=[id]))
