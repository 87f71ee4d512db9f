"""Changing a rule or a parameter: the form, the proposal with its preview, and the second signature."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from zhiwan.city.amendments import actions
from zhiwan.city.amendments import queries as amendments
from zhiwan.city.amendments.errors import TextRefused
from zhiwan.city.amendments.models import Amendment
from zhiwan.city.amendments.texts import DURATIONS, GivenEntry, rule_fields
from zhiwan.city.packs_loaded import declared, packs
from zhiwan.city.portal import words
from zhiwan.city.portal.expression_words import in_words, names_for, value_words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import act, chosen, not_found, whole
from zhiwan.city.watch import queries as watch
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.packs.local_changes import rule_text

_DAYS = actions.DAYS


#: What each step of an amendment is.
_STEPS = {
    "approve": "rule.sign",
    "reject": "rule.sign",
    "withdraw": "rule.propose",
    "look_back": "rule.propose",
    "undo": "rule.propose",
}


def _days(request: HttpRequest) -> int:
    given = request.POST.get("days", "")
    return int(given) if given in {str(one) for one in _DAYS} else _DAYS[0]


def _spans() -> list[tuple[int, str]]:
    return [(one, _("最近 {n} 天").format(n=one) if one else _("全部历史")) for one in _DAYS]


def _propose(request: HttpRequest, propose: Callable[[], Amendment]) -> HttpResponse | dict[str, Any]:
    """Make a proposal and go to it; or what the form says of why not."""
    try:
        made = propose()
    except TextRefused as refused:
        messages.error(request, _("没有提交：请修改标出的项目。"))
        return {"problems": {key: sentence(problem) for key, problem in refused.problems.items()}}
    except CityError as problem:
        messages.error(request, sentence(problem))
        return {"problems": {}}
    messages.success(request, _("已提出修改，正在用历史数据预览。须由另一人签署后生效。"))
    return redirect("portal:amendment", made.pk)


# -- a rule ------------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "POST"])
@opens("rule.propose")
def change_rule(request: HttpRequest, id: str) -> HttpResponse:
    """The form of a rule's text, filled with what is in force; sent, it makes a proposal."""
    facts = watch.rule_facts(id, recent=0)
    if facts is None:
        return not_found(request, pgettext("one", "规则"))
    given: dict[str, str] = {}
    answer: dict[str, Any] = {"problems": {}}
    if request.method == "POST":
        given = {key: request.POST[key] for key in rule_fields(packs().rule(id)) if key in request.POST}
        note = request.POST.get("note", "")
        propose = partial(actions.propose_rule, rule_id=id, given=given, note=note, days=_days(request))
        found = _propose(request, propose)
        if isinstance(found, HttpResponse):
            return found
        answer = found
    elif (again := _again(request)) is not None:
        given = {key: str(value or "") for key, value in again.after.items()}
    context = {
        "rule": facts,
        "fields": _fields(id, facts, given, answer["problems"]),
        "names": names_for(facts.watch, facts.pack),
        "levels": facts.levels,
        "spans": _spans(),
        "days": _days(request),
        "note": request.POST.get("note", ""),
        "may_propose": amendments.may_propose(),
    }
    return render(request, "portal/rule_change.html", context)


def _again(request: HttpRequest) -> Amendment | None:
    """An earlier text to begin with: `?again=17`."""
    number = request.GET.get("again", "")
    return Amendment.objects.filter(pk=int(number), kind="rule").first() if number.isdecimal() else None


def _fields(id: str, facts: watch.RuleFacts, given: dict[str, str], problems: dict[str, str]) -> list[dict[str, Any]]:
    now, base = rule_text(packs().rule(id)), rule_text(declared().rule(id))
    return [
        {
            "key": key,
            "title": words.word("rule_field", key),
            "value": given.get(key, now[key] or ""),
            "words": "" if key in DURATIONS else in_words(now[key], facts.watch, facts.pack),
            "declared": base[key] if base[key] != now[key] else None,
            "differs": base[key] != now[key],
            "span": key in DURATIONS,
            "problem": problems.get(key),
        }
        for key in rule_fields(packs().rule(id))
    ]


@require_POST
@opens("rule.propose")
def declared_again(request: HttpRequest, id: str) -> HttpResponse:
    """Propose the pack's own text."""
    note = request.POST.get("note", "").strip() or _("恢复应用场景原文")
    found = _propose(request, partial(actions.propose_declared, rule_id=id, note=note, days=_days(request)))
    return found if isinstance(found, HttpResponse) else redirect("portal:rule", id)


# -- a parameter -------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "POST"])
@opens("rule.propose")
def change_parameter(request: HttpRequest, id: str, parameter: str) -> HttpResponse:
    """A new dated value; with `?entry=2012-01-01` that value is corrected instead."""
    facts = watch.rule_facts(id, recent=0)
    used = next((one for one in facts.parameters if one.id == parameter), None) if facts else None
    if facts is None or used is None:
        return not_found(request, _("参数"))
    wrong = _entry_of(request, used)
    given: dict[str, Any] = {"from": timezone.localdate().isoformat(), "verify": True}
    if wrong is not None:
        given = {"value": f"{wrong.value:g}", "from": wrong.from_, "source": wrong.source, "verify": wrong.verify}
    problems: dict[str, str] = {}
    if request.method == "POST":
        given = {key: request.POST.get(key, "") for key in ("value", "from", "source", "verify")}
        entry = GivenEntry(given["value"], given["from"], given["source"], bool(given["verify"]))
        propose = actions.propose_entry if wrong is None else partial(actions.propose_correction, entry=wrong.from_)
        note, days = request.POST.get("note", ""), _days(request)
        found = _propose(request, partial(propose, rule_id=id, parameter=parameter, given=entry, note=note, days=days))
        if isinstance(found, HttpResponse):
            return found
        problems = found["problems"]
    context = {
        "rule": facts,
        "used": used,
        "values": [(one, value_words(one.table or one.value, used.declared.unit)) for one in used.declared.in_force],
        "wrong": wrong,
        "given": given,
        "problems": problems,
        "others": _other_users(id, parameter),
        "spans": _spans(),
        "days": _days(request),
        "note": request.POST.get("note", ""),
        "may_propose": amendments.may_propose(),
    }
    return render(request, "portal/parameter_change.html", context)


def _entry_of(request: HttpRequest, used: watch.UsedByRule) -> Any:
    """The dated value to correct, or None for a new one."""
    wished = request.POST.get("entry") or request.GET.get("entry", "")
    return next((one for one in used.declared.in_force if one.from_.isoformat() == wished), None)


def _other_users(id: str, parameter: str) -> dict[str, Any]:
    """What else goes by this parameter: other rules, and derive steps whose past figures the preview does not touch."""
    rules = [one for one in watch.rules_using(parameter) if one.id != id]
    steps = [
        step.title
        for pack, step in packs().derives
        if parameter in {packs().parameters.resolve(pack.id, name) for name in step.parameters}
    ]
    return {"rules": rules, "steps": steps}


# -- a proposal --------------------------------------------------------------------------------------------------------


@never_cache
@require_GET
@opens("rule.read")
def detail(request: HttpRequest, number: int) -> HttpResponse:
    """One amendment: what changes, what past days would differ in, who signed, and what this person may do."""
    found = amendments.amendment(number)
    if found is None:
        return not_found(request, pgettext("one", "规则修改"))
    preview = found.row.preview
    day, kind = _day(request), chosen(request, "kind", amendments.KINDS)
    done = preview is not None and preview.state == "done"
    days = amendments.preview_days(preview) if preview is not None and done else []
    context = {
        "detail": found,
        "row": found.row,
        "preview": preview,
        "under_way": preview is not None and preview.under_way,
        "fields": [
            (one, _said(one.key, one.before, found.row), _said(one.key, one.after, found.row))
            for one in found.row.fields
        ],
        "entries": [(one, _value(one.before, found.row), _value(one.after, found.row)) for one in found.row.entries],
        "by_day": days,
        "totals": {one: sum(getattr(row, one) for row in days) for one in amendments.KINDS},
        "page": amendments.preview_differences(preview, day, kind, whole(request, "page", 1))
        if preview is not None and done
        else None,
        "day": day,
        "kind": kind,
        "kinds": [(one, words.word("difference", one)) for one in amendments.KINDS],
        "spans": _spans(),
        "wished": preview.days if preview else _DAYS[0],
    }
    return render(request, "portal/amendment.html", context)


def _said(key: str, text: str | None, row: amendments.AmendmentRow) -> str:
    return "" if text is None or key in DURATIONS else in_words(text, row.watch, row.rule.rpartition(".")[0])


def _value(entry: Any, row: amendments.AmendmentRow) -> str:
    return value_words(entry.table or entry.value, row.unit) if entry is not None else ""


def _day(request: HttpRequest) -> date | None:
    try:
        return date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return None


@require_POST
@opens(_STEPS, by="step")
def move(request: HttpRequest, number: int, step: str) -> HttpResponse:
    """One step of a person: sign, refuse, withdraw, compute the preview again, undo."""
    note = request.POST.get("note", "").strip()
    back = reverse("portal:amendment", args=[number])
    if step == "undo":
        undo = partial(actions.propose_undo, amendment_id=number, note=note, days=_days(request))
        found = _propose(request, undo)
        return found if isinstance(found, HttpResponse) else redirect(back)
    moves: dict[str, tuple[Callable[..., Any], str]] = {
        "approve": (partial(actions.approve, note=note), _("已签署生效，数据流在数秒内采用。")),
        "reject": (partial(actions.reject, note=note), _("已退回，原因已留存。")),
        "withdraw": (actions.withdraw, _("已撤回。")),
        "look_back": (partial(actions.look_back, days=_days(request)), _("正在重新预览。")),
    }
    if step not in moves:
        return not_found(request, pgettext("one", "规则修改"))
    action, done = moves[step]
    return act(request, partial(action, amendment_id=number), done, back)
