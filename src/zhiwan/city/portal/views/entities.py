"""Entities: the list, and one with its live values, history, alarms, facts and relations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.keeping.queries import due_day_of
from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import guard
from zhiwan.city.portal import charts
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.templatetags.portal import moment_text, said
from zhiwan.city.portal.views.base import act, chosen, csv_download, not_found, whole
from zhiwan.city.registry import clock, retiring
from zhiwan.city.registry import queries as registry
from zhiwan.city.registry.actions import reveal_field
from zhiwan.city.registry.commands import declared
from zhiwan.city.registry.device_cards import device_cards
from zhiwan.city.watch import queries as watch
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.guard.purposes import Purpose

#: Spans of the history chart: key → (span, bucket); None shows every reading.
SPANS: dict[str, tuple[timedelta, timedelta | None]] = {
    "6h": (timedelta(hours=6), None),
    "24h": (timedelta(hours=24), None),
    "7d": (timedelta(days=7), timedelta(minutes=30)),
    "30d": (timedelta(days=30), timedelta(hours=2)),
    "365d": (timedelta(days=365), timedelta(days=1)),
}
_MOST_CSV = 500


def span_titles() -> dict[str, str]:
    """The spans in words."""
    return {"6h": _("6 小时"), "24h": _("24 小时"), "7d": _("7 天"), "30d": _("30 天"), "365d": _("一年")}


@require_GET
@opens("entity.read")
def listing(request: HttpRequest) -> HttpResponseBase:
    """By type, area and name."""
    filters: dict[str, Any] = {
        "type": chosen(request, "type", packs().types),
        "area": request.GET.get("area", "")[:15] or None,
        "text": request.GET.get("q", "").strip()[:80] or None,
        "active": request.GET.get("state") != "retired",
    }
    if request.GET.get("format") == "csv":
        rows = registry.entities(**filters, size=_MOST_CSV).rows
        header = [_("编号"), _("名称"), _("类型"), _("区域"), _("区划代码"), _("经度"), _("纬度")]
        lines = [[r.id, said(r.title), said(r.type_title), said(r.area_title), r.area, r.lon, r.lat] for r in rows]
        return csv_download(request, "entities", header, lines)
    context = {
        "page": registry.entities(**filters, page=whole(request, "page", 1)),
        "types": registry.type_counts(),
        "towns": registry.areas("town"),
        **filters,
    }
    return render(request, "portal/entities.html", context)


@require_GET
@opens("entity.read")
def detail(request: HttpRequest, id: str) -> HttpResponseBase:
    """One entity. `property` and `span` choose the history; `format=csv` downloads it."""
    found = registry.entity_detail(id)
    if found is None:
        return not_found(request, pgettext("one", "对象"))
    values = watch.latest_of(id)
    name = chosen(request, "property", [row.property for row in values]) or _first(values)
    span = chosen(request, "span", SPANS) or "24h"
    if request.GET.get("format") == "csv":
        return _history_csv(request, id, name, span)
    return render(request, "portal/entity.html", _told(found, values, name, span))


def _first(values: list[watch.LatestRow]) -> str:
    """The property whose history is shown when none is chosen: the first that has a value."""
    with_values = [row.property for row in values if row.value is not None]
    return (with_values or [row.property for row in values] or [""])[0]


def _told(found: registry.EntityDetail, values: list[watch.LatestRow], name: str, span: str) -> dict[str, Any]:
    hidden = any(row.masked for row in values if row.property == name)
    return {
        "detail": found,
        "row": found.row,
        "kind": packs().types.get(found.row.type),
        "due": due_day_of(found.row.id) if not found.row.active else None,
        "values": values,
        "chosen": name,
        "span": span,
        "spans": span_titles(),
        "chart": None if hidden else _history(found.row.type, found.row.id, name, span),
        "hidden": hidden,
        "may_reveal": _may_reveal(found),
        "revealed": {},
        "alarms": watch.alarms(entity=found.row.id, size=10),
        "devices": device_cards(found.row.id),
        "commands": declared(found.row.type),
    }


def _may_reveal(found: registry.EntityDetail) -> dict[str, list[Purpose]]:
    """Masked fields that the post may see whole → for which purposes."""
    offered = {}
    for field in found.fields:
        name = f"{found.row.type}.{field.id}"
        if field.masked:
            offered[field.id] = [
                one
                for one in guard.purposes_for(name)
                if guard.may("entity.reveal", on=found.subject, grade=field.grade, field=name, under=one.id)
            ]
    return {id: purposes for id, purposes in offered.items() if purposes}


@never_cache
@require_POST
@opens("entity.reveal")
def reveal(request: HttpRequest, id: str, name: str) -> HttpResponseBase:
    """One masked field whole, for a reason, on this answer only. Who read it, and why, stands in the audit."""
    found = registry.entity_detail(id)
    if found is None or name not in {field.id for field in found.fields}:
        return not_found(request, pgettext("one", "对象"))
    values = watch.latest_of(id)
    context = _told(found, values, _first(values), "24h")
    try:
        purpose, reason = request.POST.get("purpose", ""), request.POST.get("reason", "")
        context["revealed"] = {name: reveal_field(entity_id=id, field=name, purpose=purpose, reason=reason)}
    except CityError as problem:
        messages.error(request, sentence(problem))
        return redirect("portal:entity", id)
    # Who photographs or prints the page carries the reader's name with it.
    return render(request, "portal/entity.html", context | {"marked_at": timezone.localtime()})


@require_POST
@opens("entity.retire")
def retire(request: HttpRequest, id: str) -> HttpResponseBase:
    """Out of use, for a reason."""
    if registry.entity_detail(id) is None:
        return not_found(request, pgettext("one", "对象"))
    reason = request.POST.get("reason", "")
    done = _("已停用。它的设备已吊销，历史、告警和案件都保留。")
    return act(request, lambda: retiring.retire(entity_id=id, reason=reason), done, reverse("portal:entity", args=[id]))


@require_POST
@opens("entity.return")
def bring_back(request: HttpRequest, id: str) -> HttpResponseBase:
    """In use again."""
    if registry.entity_detail(id) is None:
        return not_found(request, pgettext("one", "对象"))
    done = _("已恢复使用。设备需要逐台恢复；已删除的个人信息需要重新登记。")
    return act(request, lambda: retiring.bring_back(entity_id=id), done, reverse("portal:entity", args=[id]))


def _history(type_name: str, id: str, name: str, span: str) -> charts.Option | None:
    kind = packs().types.get(type_name)
    declared = kind.properties.get(name) if kind else None
    if declared is None:
        return None
    return charts.readings(
        [(at, value) for at, value, _n in _points(id, name, span)],
        title=said(declared.title),
        unit=declared.unit,
        decimals=declared.decimals,
        choices=[said(choice.title) for choice in declared.choices],
    )


def _points(id: str, name: str, span: str) -> list[tuple[Any, float, int | None]]:
    length, every = SPANS[span]
    now = clock.now()
    return watch.history(id, name, now - length, now + timedelta(minutes=5), every)


def _history_csv(request: HttpRequest, id: str, name: str, span: str) -> HttpResponseBase:
    rows = [[moment_text(at), value, n if n is not None else 1] for at, value, n in _points(id, name, span)]
    return csv_download(request, f"{id}-{name}-{span}", [_("时间"), _("数值"), _("读数个数")], rows)
