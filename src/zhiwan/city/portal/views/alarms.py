"""Alarms: the list, one alarm with everything that explains it, acknowledging it, and 复核 by another engine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.cases import queries as cases
from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import guard
from zhiwan.city.portal import charts, words
from zhiwan.city.portal.expression_words import in_words, value_words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.templatetags.portal import moment_text, said
from zhiwan.city.portal.views.base import act, chosen, csv_download, not_found, whole
from zhiwan.city.registry import clock
from zhiwan.city.registry import queries as registry
from zhiwan.city.watch import actions
from zhiwan.city.watch import queries as watch
from zhiwan.city.watch.recheck import recheck_alarm
from zhiwan.kernel.facts.errors import CityError

_STATES = ("open", "latched", "cleared", "withdrawn")
_MOST_CSV = 500
#: The lake follows the alarm by a second or two (ADR 4): so long the page asks again by itself.
_LAKE_FOLLOWS = timedelta(minutes=2)


@require_GET
@opens("alarm.read")
def listing(request: HttpRequest) -> HttpResponseBase:
    """Open ones first; filters by state, pack, rule and town; `format=csv` downloads them."""
    towns = registry.areas("town")
    state = chosen(request, "state", _STATES) if "state" in request.GET else "open"
    filters: dict[str, Any] = {
        "state": state,
        "pack": chosen(request, "pack", (pack.id for pack in packs().packs)),
        "rule": chosen(request, "rule", (f"{pack.id}.{rule.id}" for pack, rule in packs().rules)),
        "area": request.GET.get("area", "")[:15] or None,
    }
    if request.GET.get("format") == "csv":
        return _csv(request, watch.alarms(**filters, size=_MOST_CSV).rows)
    context = {
        "page": watch.alarms(**filters, page=whole(request, "page", 1)),
        "states": [(one, words.word("alarm_state", one)) for one in _STATES],
        "packs": [pack.manifest for pack in packs().packs if pack.rules],
        "towns": towns,
        **filters,
    }
    return render(request, "portal/alarms.html", context)


def _csv(request: HttpRequest, rows: list[watch.AlarmRow]) -> HttpResponseBase:
    header = [
        _("编号"),
        _("级别"),
        pgettext("one", "规则"),
        pgettext("one", "对象"),
        _("区域"),
        _("数值"),
        _("单位"),
        _("说明"),
        _("状态"),
        _("发生"),
        _("解除"),
    ]
    lines = [
        [row.id, said(row.level.title), said(row.rule_title), said(row.entity.title), said(row.entity.area_title),
         row.value, row.unit, said(row.message), words.word("alarm_state", row.state), moment_text(row.opened_at),
         moment_text(row.cleared_at) if row.cleared_at else ""]
        for row in rows
    ]  # fmt: skip
    return csv_download(request, "alarms", header, lines)


@require_GET
@opens("alarm.read")
def detail(request: HttpRequest, id: str) -> HttpResponse:
    """Why it fired: readings against the limit in force, rule and version, parameters with their source, its life."""
    found = watch.alarm_detail(id)
    if found is None:
        return not_found(request, pgettext("one", "告警"))
    return render(request, "portal/alarm.html", _explained(found))


def _explained(found: watch.AlarmDetail) -> dict[str, Any]:
    row, rule = found.row, found.rule
    chart = watch.alarm_chart(row.id)
    kept = found.evidence
    expressions = []
    if rule is not None:
        # What judged, as the alarm kept it: the rule may have another text by now.
        named = ((_("条件"), "when"), (_("范围"), "where"), (_("解除"), "clear"), (_("级别"), "level"))
        texts = [(title, kept.get(key, getattr(rule, key))) for title, key in named]
        expressions = [(title, text, in_words(text, rule.watch, rule.pack)) for title, text in texts if text]
    return {
        "detail": found,
        "row": row,
        "rule": rule,
        "expressions": expressions,
        "parameters": [(one, value_words(one.value, one.unit)) for one in found.parameters],
        "chart": _chart(chart, row) if chart else None,
        "chart_empty": chart is not None and not chart.points,
        "chart_coming": clock.now() - found.steps[-1].recorded_at < _LAKE_FOLLOWS if found.steps else False,
        "case": _case_of(row.id) if guard.may_open("case.read") else None,
        "lasting": kept.get("lasting", rule.lasting if rule is not None and rule.lasting != "0s" else None),
        "absent": kept.get("absent", rule.absent if rule is not None else None),
        "may_acknowledge": row.acknowledged_at is None and guard.may("alarm.acknowledge", on=found.subject),
        "judged_by": kept.get("version", row.rule_version),
        "changed_since": rule is not None and kept.get("version", rule.version) != rule.version,
    }


def _case_of(alarm_id: str) -> cases.CaseView | None:
    from zhiwan.city.cases.models import Case

    case_id = Case.objects.filter(alarm_id=alarm_id).values_list("id", flat=True).first()
    return cases.case(case_id, at=clock.now()) if case_id else None


def _chart(chart: watch.AlarmChart, row: watch.AlarmRow) -> charts.Option:
    return charts.readings(
        chart.points,
        title=said(chart.title),
        unit=chart.unit,
        decimals=chart.decimals,
        lines=[charts.Line(said(limit.title), limit.value, row.level.tone) for limit in chart.limits],
        span=charts.Span(chart.opened_at, chart.cleared_at or clock.now(), row.level.tone),
    )


@require_POST
@opens("alarm.acknowledge")
def acknowledge(request: HttpRequest, id: str) -> HttpResponse:
    """A person has seen it; a latched alarm may clear from now on."""
    if watch.alarm_detail(id) is None:
        return not_found(request, pgettext("one", "告警"))
    back = reverse("portal:alarm", args=[id])
    return act(request, lambda: actions.acknowledge_alarm(alarm_id=id), _("已确认告警。"), back)


@require_POST
@opens("alarm.recheck")
def recompute(request: HttpRequest, id: str) -> HttpResponse:
    """复核: judge the lake's rows again with two engines and show both results beside what was told."""
    found = watch.alarm_detail(id)
    if found is None:
        return not_found(request, pgettext("one", "告警"))
    at: datetime = clock.now()
    try:
        results = {"recomputed": recheck_alarm(alarm_id=id, at=at), "recomputed_at": at}
    except CityError as problem:
        results = {"recompute_problem": sentence(problem)}
    if request.headers.get("HX-Request"):
        return render(request, "portal/parts/recomputed.html", {"row": found.row, **results})
    return render(request, "portal/alarm.html", _explained(found) | results)
