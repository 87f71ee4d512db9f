"""Warnings: proposed by alarms or drafted here; each step is a person's, only the authority signs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from zhiwan.city.people import guard
from zhiwan.city.portal import words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import act, chosen, moment_given, not_found, whole
from zhiwan.city.registry import clock
from zhiwan.city.registry import queries as registry
from zhiwan.city.watch import actions
from zhiwan.city.watch import queries as watch
from zhiwan.city.watch.models import WarningState
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.packs.models import Text


@require_GET
@opens("warning.read")
def listing(request: HttpRequest) -> HttpResponse:
    """What is in force, what is on its way, what was."""
    state = chosen(request, "state", WarningState.values)
    context = {
        "page": watch.warnings(state=state, page=whole(request, "page", 1)),
        "state": state,
        "states": [(one, words.word("warning_state", one)) for one in WarningState.values],
        "may_draft": bool(_to_draft()),
        "may_record": bool(_to_record()),
    }
    return render(request, "portal/warnings.html", context)


@require_GET
@opens("warning.read")
def detail(request: HttpRequest, id: int) -> HttpResponse:
    """One warning with its way, its receipts and the steps that this post may take now."""
    found = watch.warning_detail(id)
    if found is None:
        return not_found(request, pgettext("one", "预警"))
    kind = next((one for one in watch.warning_kinds() if one.id == found.row.kind), None)
    return render(request, "portal/warning.html", {"detail": found, "row": found.row, "kind": kind})


def _to_draft() -> list[watch.WarningKindRow]:
    """The kinds that this post may draft: by its role, or because it signs them."""
    kinds = [one for one in watch.warning_kinds() if one.from_outside is None]
    return [one for one in kinds if guard.may("warning.draft", roles=[one.signed_by])]


def _to_record() -> list[watch.WarningKindRow]:
    """The kinds of other authorities that this post may record."""
    kinds = [one for one in watch.warning_kinds() if one.from_outside is not None]
    return [one for one in kinds if guard.may("warning.publish", roles=[one.signed_by])]


@require_http_methods(["GET", "POST"])
@opens("warning.draft")
def new(request: HttpRequest) -> HttpResponse:
    """A draft by a person. Kind and level come as one choice, so that a level always belongs to its kind."""
    mine = _to_draft()
    if not mine:
        guard.require("warning.draft")
    where = registry.current_place()
    if request.method == "POST":
        kind, _bar, level = request.POST.get("kind", "").partition("|")
        area = request.POST.get("area") or (where.code if where else "")
        try:
            made = actions.draft_warning(
                kind=kind, level=level, area=area, title=_text(request, "title"), text=_text(request, "text")
            )
        except CityError as problem:
            messages.error(request, sentence(problem))
        else:
            messages.success(request, _("已存为草稿，等待审核。"))
            return redirect("portal:warning", made.pk)
    return render(
        request,
        "portal/warning_new.html",
        {"kinds": mine, "towns": registry.areas("town"), "where": where, "given": request.POST},
    )


@require_http_methods(["GET", "POST"])
@opens("warning.publish")
def outside(request: HttpRequest) -> HttpResponse:
    """A warning that another authority issued is recorded as it came; nobody here signs it."""
    kinds = _to_record()
    if not kinds:
        guard.require("warning.publish")
    where = registry.current_place()
    if request.method == "POST":
        kind, _bar, level = request.POST.get("kind", "").partition("|")
        try:
            made = actions.record_outside_warning(
                kind=kind,
                level=level,
                area=request.POST.get("area") or (where.code if where else ""),
                message_id=request.POST.get("message_id", ""),
                issued_at=moment_given(request.POST.get("issued_at", "")) or clock.now(),
                issuer=_text(request, "issuer"),
                text=_text(request, "text"),
            )
        except CityError as problem:
            messages.error(request, sentence(problem))
        else:
            messages.success(request, _("已登记，即时生效，并请各岗位签收。"))
            return redirect("portal:warning", made.pk)
    context = {
        "kinds": kinds,
        "towns": registry.areas("town"),
        "where": where,
        "given": request.POST,
        "now": clock.now(),
    }
    return render(request, "portal/warning_outside.html", context)


def _text(request: HttpRequest, name: str) -> Text | None:
    """Both languages of a field; the one that is missing repeats the other, none at all means the declared words."""
    zh, en = (request.POST.get(f"{name}_{language}", "").strip() for language in ("zh", "en"))
    return Text(zh=zh or en, en=en or zh) if zh or en else None


_STEPS = {
    "edit": "warning.draft",
    "review": "warning.review",
    "reject": "warning.reject",
    "sign": "warning.sign",
    "publish": "warning.publish",
    "change": "warning.draft",
    "lift": "warning.lift",
    "receive": "warning.receive",
}


@require_POST
@opens(_STEPS, by="step")
def move(request: HttpRequest, id: int, step: str) -> HttpResponse:
    """One step of its life."""
    note = request.POST.get("note", "").strip()
    level = request.POST.get("level") or None
    text = _text(request, "text")
    moves: dict[str, tuple[Callable[..., Any], str]] = {
        "edit": (
            partial(actions.edit_warning, level=level, title=_text(request, "title"), text=text),
            _("已修改，需要重新审核。"),
        ),
        "review": (partial(actions.review_warning, note=note), _("已审核。")),
        "reject": (partial(actions.reject_warning, note=note), _("已记录不采用。")),
        "sign": (actions.sign_warning, _("已签发。")),
        "publish": (actions.publish_warning, _("已发布，并按预案启动响应。")),
        "change": (partial(actions.change_warning, level=level or "", text=text), _("已拟变更稿，等待审核。")),
        "lift": (partial(actions.lift_warning, note=note), _("已解除预警。")),
        "receive": (actions.receive_warning, _("已签收预警。")),
    }
    if step not in moves or watch.warning_detail(id) is None:
        return not_found(request, pgettext("one", "预警"))
    action, done = moves[step]
    return act(request, partial(action, warning_id=id), done, reverse("portal:warning", args=[id]))
