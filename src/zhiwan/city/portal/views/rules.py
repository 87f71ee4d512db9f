"""Rules as they are in force, how they did, and what people changed of them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from zhiwan.city.amendments import queries as amendments
from zhiwan.city.portal.expression_words import in_words, value_words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.views.base import not_found
from zhiwan.city.watch import queries as watch


@require_GET
@opens("rule.read")
def listing(request: HttpRequest) -> HttpResponse:
    """All rules of all packs; above them the changes that wait for the second signature."""
    versions = amendments.rule_versions()
    waiting = amendments.waiting()
    open_of = {one.subject for one in waiting} | {one.rule for one in waiting}
    context = {
        "rows": [(row, versions.get(row.id, ""), row.id in open_of) for row in watch.rules()],
        "waiting": waiting,
        "left_out": amendments.left_out(),
    }
    return render(request, "portal/rules.html", context)


@require_GET
@opens("rule.read")
def detail(request: HttpRequest, id: str) -> HttpResponse:
    """One rule: what it watches, its expressions in words, parameters with their dated values, changes, scores."""
    found = watch.rule_facts(id)
    if found is None:
        return not_found(request, pgettext("one", "规则"))
    named = ((_("条件"), found.when), (_("范围"), found.where), (_("解除"), found.clear), (_("级别"), found.level))
    context: dict[str, Any] = {
        "rule": found,
        "expressions": [(title, text, in_words(text, found.watch, found.pack)) for title, text in named if text],
        "parameters": [(one, values_of(one)) for one in found.parameters],
        "amendments": amendments.of_rule(id),
        "left_out": [one for one in amendments.left_out() if one.rule == id or one.subject == id],
        "may_propose": amendments.may_propose(),
    }
    return render(request, "portal/rule.html", context)


def values_of(one: watch.UsedByRule) -> list[tuple[Any, str]]:
    """Each dated value of a parameter with its words."""
    unit = one.declared.unit
    return [(value, value_words(value.table or value.value, unit)) for value in one.declared.in_force]
