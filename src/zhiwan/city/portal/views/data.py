"""Data that needs a person: refused values (see, fix, replay, drop), and how good the rest is."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.packs_loaded import packs
from zhiwan.city.portal import words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.templatetags.portal import moment_text, said
from zhiwan.city.portal.views.base import act, chosen, csv_download, local_url, moment_given, not_found, whole
from zhiwan.city.registry import clock
from zhiwan.city.watch import actions
from zhiwan.city.watch import queries as watch
from zhiwan.city.watch.models import SetAside
from zhiwan.kernel.facts.errors import InputRefused

_MOST_CSV = 500
_SPANS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}


class NotANumber(InputRefused):
    """A form field that should hold a number."""

    code = "PORTAL-002"
    fact = '"{given}" is not a number'
    hint = "Write a number such as 3.35."


@require_GET
@opens("set_aside.read")
def set_aside(request: HttpRequest) -> HttpResponseBase:
    """Refused values with reason and next step, open ones by default."""
    filters: dict[str, Any] = {
        "state": (chosen(request, "state", words.SET_ASIDE_STATES) if "state" in request.GET else "open"),
        "code": chosen(request, "code", words.REASONS),
        "device": request.GET.get("device", "").strip()[:64] or None,
    }
    if request.GET.get("format") == "csv":
        rows = watch.set_aside(**filters, size=_MOST_CSV).rows
        header = [_("编号"), _("收到"), _("设备"), _("属性"), _("原值"), _("原因"), _("说明"), _("建议"), _("状态")]
        lines = [
            [r.id, moment_text(r.received_at), r.device, r.property, r.raw, words.word("reason", r.code),
             said(r.reason), said(r.hint), words.word("set_aside_state", r.state)]
            for r in rows
        ]  # fmt: skip
        return csv_download(request, "set-aside", header, lines)
    context = {
        "page": watch.set_aside(**filters, page=whole(request, "page", 1), size=25),
        "counts": watch.set_aside_counts(),
        "states": [(one, words.word("set_aside_state", one)) for one in words.SET_ASIDE_STATES],
        "types": packs().types,
        "here": request.get_full_path(),
        **filters,
    }
    return render(request, "portal/set_aside.html", context)


_STEPS = {"fix": "set_aside.fix", "drop": "set_aside.drop"}


@require_POST
@opens(_STEPS, by="step")
def move(request: HttpRequest, id: int, step: str) -> HttpResponse:
    """Fix and send again, or drop with a reason."""
    if step not in ("fix", "drop") or not SetAside.objects.filter(id=id).exists():
        return not_found(request, _("待处理数据"))
    back = local_url(request, request.POST.get("next"), reverse("portal:set_aside"))
    note = request.POST.get("note", "").strip()
    if step == "drop":
        return act(
            request, partial(actions.drop_set_aside, set_aside_id=id, note=note), _("已丢弃，并记录原因。"), back
        )
    try:
        wanted: dict[str, Any] = {
            "value": _number(request.POST.get("value", "")),
            "property": request.POST.get("property") or None,
            "unit": request.POST.get("unit") or None,
            "observed_at": moment_given(request.POST.get("observed_at", "")),  # empty: the one that was received
        }
    except InputRefused as problem:
        messages.error(request, sentence(problem))
        return redirect(back)
    return act(
        request,
        partial(actions.fix_set_aside, set_aside_id=id, note=note, **wanted),
        _("已修正并重新送入数据流。"),
        back,
    )


def _number(text: str) -> float:
    try:
        return float(text.strip().replace(",", ""))
    except ValueError:
        raise NotANumber(given=text) from None


@require_GET
@opens("quality.read")
def quality(request: HttpRequest) -> HttpResponseBase:
    """Flags of kept readings, refusals at the doors, the worst and the silent devices."""
    span = chosen(request, "span", _SPANS) or "24h"
    now = clock.now()
    figures = watch.quality(now - _SPANS[span], now)
    if request.GET.get("format") == "csv":
        flags = [flag for flag in words.FLAGS if flag != "GOOD"]
        header = [
            pgettext("one", "对象"),
            _("名称"),
            _("读数"),
            *(words.word("flag", flag) for flag in flags),
            _("故障占比"),
        ]
        lines = [
            [one.entity.id, said(one.entity.title), one.total, *(one.flags.get(flag, 0) for flag in flags),
             f"{one.share:.4f}"]
            for one in figures.worst
        ]  # fmt: skip
        return csv_download(request, f"quality-{span}", header, lines)
    context = {
        "figures": figures,
        "span": span,
        "spans": {"1h": _("1 小时"), "24h": _("24 小时"), "7d": _("7 天")},
        "flags": [(flag, figures.flags.get(flag, 0)) for flag in words.FLAGS if flag != "GOOD"],
        "refused_total": sum(figures.refused.values()),
    }
    return render(request, "portal/quality.html", context)
