"""Writes of cases: opened by an alarm or a person, taken (签收), handled (处置), closed (结案) with what was true.

open_from_alarm(alarm_id, at) -> Case | None     once per alarm, whatever is repeated
take(case_id, at)   handle(case_id, note, at)   close(case_id, outcome, note, at)

Closing scores the rule version that opened the alarm; an illegal step names the legal ones.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from zhiwan.city.cases.models import Case, CaseState, CaseStep
from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import Actor, current_actor
from zhiwan.city.watch.models import Alarm
from zhiwan.kernel.facts.errors import InputRefused

#: step → states in which it may be taken
LEGAL: dict[str, tuple[str, ...]] = {
    "take": (CaseState.OPEN,),
    "handle": (CaseState.OPEN, CaseState.TAKEN),
    "close": (CaseState.TAKEN, CaseState.HANDLED),
}


class CaseStepRefused(InputRefused):
    """A step that the case's life cycle does not allow now."""

    code = "CASE-001"
    fact = "case {case} cannot take the step {step} now"
    detail = "It is {state}. Legal steps now: {legal}."
    hint = "Reload the page: someone may have been faster."


class OutcomeUnknown(InputRefused):
    """An outcome that the kind of case does not declare."""

    code = "CASE-002"
    fact = 'case {case} has no outcome "{outcome}"'
    detail = "Its kind declares: {outcomes}."
    hint = "Choose one of them."


@transaction.atomic
def open_from_alarm(*, alarm_id: str, at: datetime) -> Case | None:
    """The case that the alarm's rule raises; None where it raises none or the case is there already."""
    guard.require("case.open")
    alarm = Alarm.objects.get(pk=alarm_id)
    kind_id = packs().rule(alarm.rule).raises
    if kind_id is None:
        return None
    kind = packs().case_kind(kind_id)
    case, created = Case.objects.get_or_create(
        alarm=alarm,
        defaults={
            "kind": kind_id,
            "title_zh": alarm.message_zh[:240],
            "title_en": alarm.message_en[:280],
            "town": alarm.town,
            "area": alarm.area,
            "entity_id": alarm.entity_id,
            "role": kind.handled_by,
            "opened_at": at,
            "due_take": at + kind.take_within,
            "due_handle": at + kind.handle_within,
        },
    )
    if not created:
        return None
    _step(case, "open", at, f"alarm:{alarm_id}")
    audit.record("cases.open", f"case:{case.pk}", at=at, after={"alarm": alarm_id, "kind": kind_id})
    return case


@transaction.atomic
def take(*, case_id: int, at: datetime) -> Case:
    """The acting post takes the case."""
    case, actor = _begin(case_id, "take")
    case.state, case.taken_at, case.handler = CaseState.TAKEN, at, actor.post
    case.save(update_fields=["state", "taken_at", "handler"])
    return _done(case, "take", at, before=CaseState.OPEN)


@transaction.atomic
def handle(*, case_id: int, note: str, at: datetime) -> Case:
    """The work is done; `note` says what. An untaken case is taken with it."""
    case, actor = _begin(case_id, "handle")
    before = case.state
    if case.taken_at is None:
        case.taken_at, case.handler = at, actor.post
    case.state, case.handled_at, case.note = CaseState.HANDLED, at, note
    case.save(update_fields=["state", "taken_at", "handler", "handled_at", "note"])
    return _done(case, "handle", at, before=before, note=note)


@transaction.atomic
def close(*, case_id: int, outcome: str, at: datetime, note: str = "") -> Case:
    """End the case with what was true; that scores the rule version which raised it."""
    case, _ = _begin(case_id, "close")
    declared = {one.id: one for one in packs().case_kind(case.kind).outcomes}
    if outcome not in declared:
        raise OutcomeUnknown(case=case.pk, outcome=outcome, outcomes=", ".join(declared))
    before = case.state
    case.state, case.closed_at, case.outcome = CaseState.CLOSED, at, outcome
    case.save(update_fields=["state", "closed_at", "outcome"])
    if case.alarm_id is not None:
        _score(case.alarm_id, declared[outcome].scores)
    return _done(case, "close", at, before=before, note=note)


def _begin(case_id: int, step: str) -> tuple[Case, Actor]:
    case = Case.objects.select_for_update().get(pk=case_id)
    actor = guard.require(f"case.{step}", on=case, roles=[case.role])
    if case.state not in LEGAL[step]:
        legal = [name for name, states in LEGAL.items() if case.state in states]
        raise CaseStepRefused(case=case.pk, step=step, state=case.state, legal=", ".join(legal) or "none")
    return case, actor


def _done(case: Case, step: str, at: datetime, *, before: str, note: str = "") -> Case:
    _step(case, step, at, note)
    after = {"state": case.state, "outcome": case.outcome, "note": note}
    audit.record(f"cases.{step}", f"case:{case.pk}", at=at, before={"state": before}, after=after)
    return case


def _step(case: Case, step: str, at: datetime, note: str) -> None:
    actor = current_actor()
    CaseStep.objects.create(
        case=case,
        town=case.town,
        step=step,
        at=at,
        post=actor.post if actor else None,
        actor=actor.name if actor else "",
        note=note,
    )


def _score(alarm_id: str, scores: str) -> None:
    """Write what was true on the alarm and count it for the rule version."""
    alarm = Alarm.objects.select_for_update().get(pk=alarm_id)
    alarm.score = scores
    alarm.save(update_fields=["score"])
    if scores == "none":
        return
    counted = {name: int(name == scores) for name in ("hit", "false_alarm", "miss")}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO watch_rulescore AS s (rule, rule_version, hit, false_alarm, miss)
            VALUES (%(rule)s, %(version)s, %(hit)s, %(false_alarm)s, %(miss)s)
            ON CONFLICT (space, rule, rule_version) DO UPDATE SET hit = s.hit + excluded.hit,
                false_alarm = s.false_alarm + excluded.false_alarm, miss = s.miss + excluded.miss
            """,
            {"rule": alarm.rule, "version": alarm.rule_version, **counted},
        )
