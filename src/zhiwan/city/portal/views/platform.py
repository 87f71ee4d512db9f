"""Rules as declared with how they did, and the state of the platform's parts."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from zhiwan.city.api.health import parts_now
from zhiwan.city.packs_loaded import packs
from zhiwan.city.portal import health_rows
from zhiwan.city.portal.expression_words import in_words, value_words
from zhiwan.city.portal.views.base import not_found, signed_in
from zhiwan.city.watch import queries as watch


@require_GET
@signed_in
def rules(request: HttpRequest) -> HttpResponse:
    """All rules of all packs."""
    return render(request, "portal/rules.html", {"rows": watch.rules()})


@require_GET
@signed_in
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
@signed_in
def health(request: HttpRequest) -> HttpResponse:
    """Each part with its state, for people; machines ask /healthz. The table asks again by itself."""
    parts = health_rows.rows(parts_now(timezone.now()))
    part = bool(request.headers.get("HX-Request"))
    context = {
        "parts": parts,
        "ill": sum(not row["well"] for row in parts),
        "packs": [pack.manifest for pack in packs().packs],
        "at": timezone.now(),
    }
    return render(request, "portal/parts/health.html" if part else "portal/health.html", context)
