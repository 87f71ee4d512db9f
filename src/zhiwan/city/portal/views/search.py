"""The search box: villages and towns, entities, devices, cases. With htmx a list below the box, without it a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from zhiwan.city.cases import queries as cases
from zhiwan.city.people import guard
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.templatetags.portal import said
from zhiwan.city.registry import clock
from zhiwan.city.registry import queries as registry

_LONGEST = 80


@require_GET
@opens("search.use")
def search(request: HttpRequest) -> HttpResponse:
    """Hits in groups; an area opens the map there, a thing its page."""
    text = request.GET.get("q", "").strip()[:_LONGEST]
    places: list[dict[str, str]] = []
    things: list[dict[str, str]] = []
    for hit in registry.search(text, things=guard.may_open("entity.read")) if text else []:
        area = hit.kind in ("town", "village")
        url = (
            f"{reverse('portal:map')}?area={hit.id}" if area else reverse("portal:entity", args=[hit.entity or hit.id])
        )
        row = {"title": hit.title, "note": said(hit.subtitle), "url": url, "kind": hit.kind}
        (places if area else things).append(row)
    files = [
        {
            "title": f"#{one.id} {said(one.title)}",
            "note": said(one.kind_title),
            "url": reverse("portal:case", args=[one.id]),
            "kind": "case",
        }
        for one in (cases.find(text, at=clock.now()) if text and guard.may_open("case.read") else [])
    ]
    groups = [
        {"title": title, "rows": rows}
        for title, rows in ((_("街镇与村居"), places), (_("对象与设备"), things), (_("案件"), files))
        if rows
    ]
    fragment = bool(request.headers.get("HX-Request"))
    template = "portal/parts/search_results.html" if fragment else "portal/search.html"
    return render(request, template, {"groups": groups, "text": text})
