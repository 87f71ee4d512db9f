"""The chains of the audit: how they stand, checking them now, letting a month go."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.people import guard
from zhiwan.city.people.auditing import retention, runs
from zhiwan.city.people.auditing.standing import chains, standing
from zhiwan.city.people.models import AuditRun, Organisation
from zhiwan.city.portal.audit_words import blind_words, found_words, process_word
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence, sentence_of
from zhiwan.city.portal.templatetags.portal import both
from zhiwan.city.portal.views.base import act, not_found
from zhiwan.kernel.facts.errors import CityError, InputRefused

SHOWN_FINDINGS = 50


@require_GET
@never_cache
@opens("audit.search")
def overview(request: HttpRequest) -> HttpResponse:
    """Last signed, last checked with its result, every chain, every month."""
    now = timezone.now()
    told = standing()
    context = {
        "standing": told,
        "late": told.late(now),
        "run": _told(runs.runs("verify", 1)[0]) if runs.runs("verify", 1) else None,
        "retirement": _told(runs.runs("retire", 1)[0]) if runs.runs("retire", 1) else None,
        "chains": [(one, _titled(one.chain, one.body)) for one in chains()],
        "may_check": _may("audit.verify"),
        "may_retire": _may("audit.retire"),
        **_months(now),
    }
    return render(request, "portal/audit_chains.html", context)


def _months(now: Any) -> dict[str, Any]:
    """The months; without the parameter that says how long they are kept, why none may go."""
    try:
        return {
            "months": [(one, one.oldest and now >= one.due) for one in retention.months(now)][::-1],
            "kept": retention.kept(now),
            "months_kept": retention.months_kept(now),
        }
    except CityError as problem:
        return {"months_problem": sentence(problem)}


def _titled(chain: str, body: Organisation | None) -> str:
    return both(body, "name") if body else process_word(chain.removeprefix("org:"))


def _may(action: str) -> bool:
    try:
        guard.require(action)
    except InputRefused:
        return False
    return True


@require_GET
@never_cache
@opens("audit.search")
def run(request: HttpRequest, id: int) -> HttpResponse:
    """A run's part of the page; it asks again by itself while the run is under way."""
    found = runs.run(id)
    if found is None:
        return not_found(request, _("核验"))
    return render(request, "portal/parts/audit_run.html", {"run": _told(found)})


def _told(run: AuditRun) -> dict[str, Any]:
    """A run in words."""
    report = run.report or {}
    cut = runs.interrupted(run, timezone.now())
    findings = report.get("findings", [])
    bodies = Organisation.objects.in_bulk({one["chain"].removeprefix("org:") for one in findings})
    titles = {one["chain"]: _titled(one["chain"], bodies.get(one["chain"].removeprefix("org:"))) for one in findings}
    return {
        "one": run,
        "by": process_word(run.asked_by),
        "under_way": run.state in ("waiting", "running") and not cut,
        "interrupted": cut,
        "percent": min(100, run.records * 100 // run.total) if run.total else 0,
        "whole": report.get("whole"),
        "compared": report.get("compared_with_signed_heads"),
        "findings": [found_words(one, titles[one["chain"]]) for one in findings[:SHOWN_FINDINGS]],
        "count": len(findings) + report.get("findings_left_out", 0),
        "blind": [blind_words(one) for one in report.get("cannot_see", [])],
        "problem": sentence_of(run.problem, run.problem) if run.problem else "",
        "chains": report.get("chains", 0),
    }


@require_POST
@never_cache
@opens("audit.verify")
def check(request: HttpRequest) -> HttpResponse:
    """Ask for a check of all chains."""
    return act(request, runs.ask_check, _("已开始核验，由后台任务进行；可以离开本页。"), reverse("portal:audit_chains"))


@require_POST
@never_cache
@opens("audit.retire")
def retire(request: HttpRequest) -> HttpResponse:
    """Ask that the oldest month be let go, for a reason."""
    month, reason = request.POST.get("month", ""), request.POST.get("reason", "").strip()[:200]
    ask = partial(runs.ask_retirement, month=month, reason=reason)
    return act(request, ask, _("已开始清除，完成后会显示在本页。"), reverse("portal:audit_chains"))
