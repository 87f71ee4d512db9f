"""Reads of plans.

responses(active=True) -> list[ResponseView]     with task counts, newest first
response(id) -> ResponseView | None              tasks(response_id=None, post=None, open_only=False) -> list[TaskView]
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import guard
from zhiwan.city.plans.models import Response, Task
from zhiwan.kernel.packs.models import Text


@dataclass(frozen=True)
class ResponseView:
    """A response as a page shows it. `level` carries the plan's own words."""

    id: int
    plan: str
    title: Text
    level_id: str
    level: Text
    tone: str
    area: str
    state: str
    since: datetime
    changed_at: datetime
    ended_at: datetime | None
    warning_id: int | None
    tasks: int
    receipted: int
    done: int


@dataclass(frozen=True)
class TaskView:
    """A task as a page shows it. `late` compares with the instant of the question."""

    id: int
    response_id: int
    plan: Text
    level: Text
    text: Text
    role: str
    post_id: str | None
    post_zh: str
    post_en: str
    town: str
    issued_at: datetime
    receipt_due: datetime
    receipted_at: datetime | None
    receipted_by: str
    done_due: datetime | None
    done_at: datetime | None
    done_by: str
    note: str
    late: bool
    mine: bool  # whether the acting post may take its next step


def responses(*, active: bool = True, limit: int = 50) -> list[ResponseView]:
    """Responses in force, or the last ones that ended; worst level first."""
    found = _counted().filter(state="active" if active else "ended")
    return [_view(one) for one in found.order_by("-rank", "-changed_at")[:limit]]


def response(id: int) -> ResponseView | None:
    """One response, or None where there is none in the reader's scope."""
    found = _counted().filter(pk=id).first()
    return _view(found) if found else None


def _counted() -> QuerySet[Response, Any]:
    return Response.objects.annotate(
        n_tasks=Count("tasks"),
        n_receipted=Count("tasks", filter=Q(tasks__receipted_at__isnull=False)),
        n_done=Count("tasks", filter=Q(tasks__done_at__isnull=False)),
    )


def _view(one: Any) -> ResponseView:
    plan = packs().plan(one.plan)
    return ResponseView(
        id=one.pk,
        plan=one.plan,
        title=plan.title,
        level_id=one.level,
        level=level_title(one.plan, one.level),
        tone=one.tone,
        area=one.area,
        state=one.state,
        since=one.since,
        changed_at=one.changed_at,
        ended_at=one.ended_at,
        warning_id=one.warning_id,
        tasks=one.n_tasks,
        receipted=one.n_receipted,
        done=one.n_done,
    )


def level_title(plan_id: str, level: str) -> Text:
    """The plan's word for a level; the id itself where the pack no longer knows it."""
    scale = packs().scale(packs().owner(plan_id), packs().plan(plan_id).scale)
    return next((one.title for one in scale.levels if one.id == level), Text(zh=level, en=level))


def tasks(
    *, at: datetime, response_id: int | None = None, post: str | None = None, open_only: bool = False
) -> list[TaskView]:
    """Tasks, the most urgent first: not receipted, then not done, then by due time."""
    found = Task.objects.select_related("response", "post")
    if response_id is not None:
        found = found.filter(response_id=response_id)
    if post is not None:
        found = found.filter(post_id=post)
    if open_only:
        found = found.filter(done_at=None, response__state="active")
    ordered = found.order_by(
        F("receipted_at").asc(nulls_first=True), F("done_at").asc(nulls_first=True), "receipt_due", "id"
    )
    return [_task_view(one, at) for one in ordered]


def _task_view(one: Task, at: datetime) -> TaskView:
    late = (one.receipted_at is None and at > one.receipt_due) or (
        one.done_at is None and one.done_due is not None and at > one.done_due
    )
    return TaskView(
        id=one.pk,
        response_id=one.response_id,
        plan=packs().plan(one.response.plan).title,
        level=level_title(one.response.plan, one.level),
        text=Text(zh=one.text_zh, en=one.text_en),
        role=one.role,
        post_id=one.post_id,
        post_zh=one.post.title_zh if one.post else "",
        post_en=one.post.title_en if one.post else "",
        town=one.town,
        issued_at=one.issued_at,
        receipt_due=one.receipt_due,
        receipted_at=one.receipted_at,
        receipted_by=one.receipted_by,
        done_due=one.done_due,
        done_at=one.done_at,
        done_by=one.done_by,
        note=one.note,
        late=late,
        mine=_mine(one),
    )


def _mine(one: Task) -> bool:
    posts, roles = ([one.post_id], []) if one.post_id else ([], [one.role])
    return guard.may("task.receive", on=one, roles=roles, posts=posts)
