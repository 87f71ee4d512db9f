"""Rules as declared with how they did, and the state of the platform's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from zhiwan.city.api.health import parts_now
from zhiwan.city.packs_loaded import packs
from zhiwan.city.portal.expression_words import in_words, value_words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.views.base import not_found
from zhiwan.city.watch import queries as watch


@require_GET
@opens("rule.read")
def rules(request: HttpRequest) -> HttpResponse:
    """All rules of all packs."""
    return render(request, "portal/rules.html", {"rows": watch.rules()})


@require_GET
@opens("rule.read")
def rule(request: HttpRequest, id: str) -> HttpResponse:
    """One rule: what it watches, its expressions in words, parameters with their dated values, scores, alarms."""
    found = watch.rule_facts(id)
    if found is None:
        return not_found(request, pgettext("one", "规则"))
    named = ((_("条件"), found.when), (_("范围"), found.where), (_("解除"), found.clear), (_("级别"), found.level))
    context: dict[str, Any] = {
        "rule": found,
        "expressions": [(title, text, in_words(text, found.watch, found.pack)) for title, text in named if text],
        "parameters": [
            (one, [(value, value_words(value.table or value.value, one.unit)) for value in one.in_force])
            for one in found.parameters
        ],
    }
    return render(request, "portal/rule.html", context)


@require_GET
@opens("health.read")
def health(request: HttpRequest) -> HttpResponse:
    """Each part with its state, for people; machines ask /healthz."""
    parts = parts_now(timezone.now())
    titles = {
        "web": _("网页与接口"),
        "database": _("数据库"),
        "bus": _("消息总线"),
        "live": _("实时推送"),
        "worker": _("数据流处理"),
        "door": _("设备接入"),
        "jobs": _("后台任务"),
        "packs": _("应用场景"),
    }
    rows = [
        {
            "name": titles.get(name, name),
            "state": part.get("state", "unknown"),
            "says": part.get("says", ""),
            **_told(part),
        }
        for name, part in sorted(parts.items(), key=lambda one: list(titles).index(one[0]) if one[0] in titles else 99)
    ]
    context = {"parts": rows, "packs": [pack.manifest for pack in packs().packs], "at": timezone.now()}
    return render(request, "portal/health.html", context)


def _told(part: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a part that say something to a person, and the rest as they are."""
    named = {
        "latest_reading_at": _("最近读数"),
        "last_sign_at": _("最近活动"),
        "waiting": _("等待"),
        "failed": _("失败"),
        "problem": _("问题"),
        "lake_problem": _("历史库问题"),
        "lake_waiting_rows": _("待写入历史库"),
        "waiting_messages": _("待处理报文"),
        "restarts": _("重启"),
        "count": _("个数"),
    }
    facts = []
    for key, title in named.items():
        value = part.get(key)
        if isinstance(value, dict):
            value = sum(number for number in value.values() if isinstance(number, int))
        if value is not None and value != "":
            at = parse_datetime(value) if key.endswith("_at") and isinstance(value, str) else None
            facts.append({"title": title, "value": value, "at": at})
    rest = [(key, value) for key, value in part.items() if key not in named and key not in ("state", "says")]
    return {"facts": facts, "rest": rest}
