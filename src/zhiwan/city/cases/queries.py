"""Reads of cases.

cases(at, state=None, kind=None, area=None, mine=None, late=False, page=1, size=50) -> Page[CaseView]
case(id, at) -> CaseView | None      steps(case_id) -> list[StepView]
case_of_alarm(alarm_id) -> int | None
counts(at) -> Counts                 find(text, at, limit=8) -> list[CaseView]

`state` takes a state or `running` for all that are not closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from zhiwan.city.cases.models import Case, CaseState, CaseStep
from zhiwan.city.packs_loaded import packs
from zhiwan.city.paging import Page, paged
from zhiwan.city.people.guard import subject_of
from zhiwan.city.watch.models import Alarm
from zhiwan.kernel.guard.people import Subject
from zhiwan.kernel.packs.models import CaseKind, Text

RUNNING = "running"


@dataclass(frozen=True)
class CaseView:
    """A case as pages and the API show it. `due` is the clock that runs now; `late` compares it with the question."""

    id: int
    kind: str
    kind_title: Text
    noun: Text
    title: Text
    town: str
    area: str
    entity: str | None
    entity_name: str
    alarm: str | None
    state: str
    role: str
    handler_zh: str
    handler_en: str
    opened_at: datetime
    due_take: datetime
    due_handle: datetime
    taken_at: datetime | None
    handled_at: datetime | None
    closed_at: datetime | None
    due: datetime | None
    late: bool
    outcome: str
    outcome_title: Text | None
    note: str
    subject: Subject  # as the guard sees it


@dataclass(frozen=True)
class StepView:
    """One step of a case."""

    step: str
    at: datetime
    post_zh: str
    post_en: str
    actor: str
    note: str


@dataclass(frozen=True)
class Counts:
    """What the desk must do now."""

    open: int
    taken: int
    handled: int
    late: int


def cases(
    *,
    at: datetime,
    state: str | None = None,
    kind: str | None = None,
    area: str | None = None,
    mine: str | None = None,
    late: bool = False,
    page: int = 1,
    size: int = 50,
) -> Page[CaseView]:
    """Cases in the reader's scope. `area` is a code prefix, `mine` the role that handles; newest first."""
    found = Case.objects.all()
    if state == RUNNING:
        found = found.exclude(state=CaseState.CLOSED)
    elif state:
        found = found.filter(state=state)
    if kind:
        found = found.filter(kind=kind)
    if area:
        found = found.filter(area__startswith=area)
    if mine:
        found = found.filter(role=mine)
    if late:
        found = found.filter(_late(at))
    return paged(_joined(found).order_by("-opened_at", "-id"), lambda one: _view(one, at), page, size)


def case(id: int, *, at: datetime) -> CaseView | None:
    """One case, or None where there is none in the reader's scope."""
    found = _joined(Case.objects.filter(pk=id)).first()
    return _view(found, at) if found else None


def case_of_alarm(alarm_id: str) -> int | None:
    """The number of the case that an alarm opened, or that the alarm opened whose notice it shares."""
    shared = Alarm.objects.filter(id=alarm_id).values("joins")
    found = Case.objects.filter(Q(alarm_id=alarm_id) | Q(alarm_id__in=shared))
    return found.values_list("id", flat=True).first()


def steps(case_id: int) -> list[StepView]:
    """The life of a case, first step first."""
    found = CaseStep.objects.filter(case_id=case_id).select_related("post").order_by("at", "id")
    return [
        StepView(
            step=one.step,
            at=one.at,
            post_zh=one.post.title_zh if one.post else "",
            post_en=one.post.title_en if one.post else "",
            actor=one.actor,
            note=one.note,
        )
        for one in found
    ]


def counts(*, at: datetime) -> Counts:
    """How many cases wait in each state, and how many are past their clock."""
    found = Case.objects.exclude(state=CaseState.CLOSED).aggregate(
        open=Count("id", filter=Q(state=CaseState.OPEN)),
        taken=Count("id", filter=Q(state=CaseState.TAKEN)),
        handled=Count("id", filter=Q(state=CaseState.HANDLED)),
        late=Count("id", filter=_late(at)),
    )
    return Counts(**found)


def find(text: str, *, at: datetime, limit: int = 8) -> list[CaseView]:
    """Cases whose number or title holds the text, running ones first."""
    match = Q(title_zh__icontains=text) | Q(title_en__icontains=text)
    if text.isdecimal() and len(text) < 18:
        match |= Q(pk=int(text))
    found = _joined(Case.objects.filter(match)).order_by("closed_at", "-opened_at")
    return [_view(one, at) for one in found[:limit]]


def _late(at: datetime) -> Q:
    return Q(state=CaseState.OPEN, due_take__lt=at) | Q(state__in=[CaseState.OPEN, CaseState.TAKEN], due_handle__lt=at)


def _joined(found: QuerySet[Case]) -> QuerySet[Case]:
    return found.select_related("entity", "handler")


def _view(one: Case, at: datetime) -> CaseView:
    kind = packs().case_kind(one.kind)
    due = {CaseState.OPEN.value: one.due_take, CaseState.TAKEN.value: one.due_handle}.get(one.state)
    return CaseView(
        id=one.pk,
        kind=one.kind,
        kind_title=kind.title,
        noun=kind.noun,
        title=Text(zh=one.title_zh, en=one.title_en),
        town=one.town,
        area=one.area,
        entity=one.entity_id,
        entity_name=one.entity.name if one.entity else "",
        alarm=one.alarm_id,
        state=one.state,
        role=one.role,
        handler_zh=one.handler.title_zh if one.handler else "",
        handler_en=one.handler.title_en if one.handler else "",
        opened_at=one.opened_at,
        due_take=one.due_take,
        due_handle=one.due_handle,
        taken_at=one.taken_at,
        handled_at=one.handled_at,
        closed_at=one.closed_at,
        due=due,
        late=due is not None and due < at,
        outcome=one.outcome,
        outcome_title=_outcome_title(kind, one.outcome),
        note=one.note,
        subject=subject_of(one),
    )


def _outcome_title(kind: CaseKind, outcome: str) -> Text | None:
    return next((one.title for one in kind.outcomes if one.id == outcome), None)
