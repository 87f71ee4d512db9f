"""Personal data taken out: one person asks for a purpose, another lets it go, the first fetches it once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.exports import actions, queries
from zhiwan.city.people.purposes import purpose_book
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.templatetags.portal import said
from zhiwan.city.portal.views.base import act, chosen, csv_file, not_found, whole
from zhiwan.city.portal.views.setup import live_only
from zhiwan.city.registry import queries as registry
from zhiwan.kernel.facts.errors import CityError

#: What is done with a request, and what a post must hold for it.
STEPS = {
    "approve": "personal.decide",
    "reject": "personal.decide",
    "withdraw": "personal.export",
    "fetch": "personal.export",
}


@never_cache
@require_GET
@opens("personal.list")
@live_only
def listing(request: HttpRequest) -> HttpResponse:
    """The form, and all requests."""
    offers = queries.offers()
    wished = chosen(request, "type", [one.kind.id for one in offers])
    context = {
        "offers": offers,
        "offer": next((one for one in offers if one.kind.id == wished), None),
        "towns": registry.areas("town"),
        "page": queries.requests(page=whole(request, "page", 1)),
        "purposes": purpose_book(),
    }
    return render(request, "portal/personal.html", context)


@require_POST
@opens("personal.export")
@live_only
def ask(request: HttpRequest) -> HttpResponseBase:
    """A new request."""
    given = request.POST
    return act(
        request,
        lambda: actions.ask(
            type=given.get("type", ""),
            fields=given.getlist("fields"),
            purpose=given.get("purpose", ""),
            reason=given.get("reason", ""),
            area=given.get("area", "")[:15],
        ),
        _("已申请。另一位值班长或数据管理员批准后，可以在这里领取一次。"),
        reverse("portal:personal"),
    )


@never_cache
@require_POST
@opens(STEPS, by="step")
@live_only
def move(request: HttpRequest, id: int, step: str) -> HttpResponseBase:
    """Let it go, send it back, withdraw it, fetch it."""
    if step not in STEPS:
        return not_found(request, _("步骤"))
    back, note = reverse("portal:personal"), request.POST.get("note", "")
    if step == "fetch":
        return _fetched(request, id)
    if step == "withdraw":
        return act(request, lambda: actions.withdraw(id=id), _("已撤回。"), back)
    approve = step == "approve"
    done = _("已批准，申请人可以在一天内领取一次。") if approve else _("已退回。")
    return act(request, lambda: actions.decide(id=id, approve=approve, note=note), done, back)


def _fetched(request: HttpRequest, id: int) -> HttpResponseBase:
    try:
        taken = actions.fetch(id=id)
    except CityError as problem:
        messages.error(request, sentence(problem))
        return redirect("portal:personal")
    kind = queries.kind_of(taken.request)
    titles = [said(kind.fields[field].title) if kind else field for field in taken.fields]
    header = [_("编号"), _("名称"), _("区划代码"), *titles, _("领取人")]
    # Every row carries who took it: a part of a sheet lives on without its head.
    rows: list[list[Any]] = [[id, name, area, *values, taken.mark] for id, name, area, values in taken.rows]
    return csv_file(f"personal-{taken.request.pk}", header, rows)
