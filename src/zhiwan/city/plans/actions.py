"""Writes of plans: a response follows the published warnings, its tasks go to posts that receipt and finish them.

follow_warnings(at)                                     every plan at the level that the warnings in force ask for
respond(plan_id, level, area, warning, at) -> Response  start, raise or lower; a rise adds only the difference of tasks
end_response(response_id, note, at)                     also what a person started by hand
receive_task(task_id, at)   finish_task(task_id, note, at)

A level includes the tasks of all lower levels. Lowering takes no task back: what was asked stays to be finished.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import audit, guard
from zhiwan.city.people.models import Post, Scope
from zhiwan.city.people.queries import posts_with_role
from zhiwan.city.plans.models import Response, Task
from zhiwan.city.registry.actions import town_or_district
from zhiwan.city.watch.models import Warning, WarningState
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.people import Subject, line_of
from zhiwan.kernel.packs.models import Level, Plan, PlanTask, Scale


class ResponseRefused(InputRefused):
    """A response that cannot be started or changed."""

    code = "PLAN-001"
    fact = "the response of {plan} cannot be changed"
    detail = "{problem}"
    hint = "Choose one of the plan's levels, and a response that is in force."


class TaskRefused(InputRefused):
    """A task that cannot take this step."""

    code = "PLAN-002"
    fact = "the task {task} cannot take this step"
    detail = "{problem}"
    hint = "Reload the page: someone may have done it already."


def follow_warnings(*, at: datetime) -> list[Response]:
    """Bring every plan to the highest level that the published warnings of an area ask for; ends what none supports.

    Safe to repeat: it compares what should be with what is. Responses that a person started without a warning are left
    alone.
    """
    guard.require("plan.respond")
    changed = []
    published = list(Warning.objects.filter(state=WarningState.PUBLISHED).order_by("published_at", "id"))
    for pack, plan in packs().plans:
        plan_id = f"{pack.id}.{plan.id}"
        scale = packs().scale(pack, plan.scale)
        wanted: dict[str, tuple[Level, Warning]] = {}
        for warning in published:
            level = _level_asked(plan, scale, warning)
            if level and (warning.area not in wanted or level.rank > wanted[warning.area][0].rank):
                wanted[warning.area] = (level, warning)
        active = {one.area: one for one in Response.objects.filter(plan=plan_id, state="active")}
        for area, (level, warning) in wanted.items():
            if area not in active or (active[area].level, active[area].warning_id) != (level.id, warning.pk):
                changed.append(respond(plan_id=plan_id, level=level.id, area=area, warning=warning, at=at))
        for area, response in active.items():
            if area not in wanted and response.warning_id is not None:
                changed.append(end_response(response_id=response.pk, at=at))
    return changed


def _level_asked(plan: Plan, scale: Scale, warning: Warning) -> Level | None:
    for trigger in plan.triggers:
        if trigger.warning == warning.kind and warning.level in trigger.levels:
            return next(level for level in scale.levels if level.id == trigger.levels[warning.level])
    return None


@transaction.atomic
def respond(*, plan_id: str, level: str, at: datetime, area: str = "", warning: Warning | None = None) -> Response:
    """Put a plan in force at a level, or change the level it is at. `area` empty: the whole district."""
    line = line_of(plan_id.rpartition(".")[0], "")
    guard.require("plan.respond", on=Subject(town=town_or_district(area), line=line))
    plan = packs().plan(plan_id)
    scale = packs().scale(packs().owner(plan_id), plan.scale)
    wanted = next((one for one in scale.levels if one.id == level), None)
    if wanted is None:
        raise ResponseRefused(plan=plan.title.zh, problem=f'The level "{level}" is not one of the plan.')
    response, created = Response.objects.select_for_update().get_or_create(
        plan=plan_id,
        area=area,
        state="active",
        defaults={
            "level": level,
            "rank": wanted.rank,
            "tone": wanted.tone,
            "town": town_or_district(area),
            "warning": warning,
            "since": at,
            "changed_at": at,
        },
    )
    before = None if created else {"level": response.level}
    if not created:
        response.level, response.rank, response.tone = level, wanted.rank, wanted.tone
        response.warning, response.changed_at = warning, at
        response.save(update_fields=["level", "rank", "tone", "warning", "changed_at"])
    added = _add_missing_tasks(response, plan, scale, at)
    after = {"level": level, "tasks_added": added}
    audit.record("plans.respond", f"response:{response.pk}", at=at, before=before, after=after)
    return response


def _add_missing_tasks(response: Response, plan: Plan, scale: Scale, at: datetime) -> int:
    """The tasks of this level and all lower ones that the response does not have yet: on a rise, the difference."""
    ranks = {level.id: level.rank for level in scale.levels}
    due = [
        (declared.level, task)
        for declared in sorted(plan.levels, key=lambda one: ranks[one.level])
        if ranks[declared.level] <= response.rank
        for task in declared.tasks
    ]
    towns = [response.town] if response.town else None
    # A role that no post holds still gets its task: the desk must see that nobody is there.
    posts: dict[str, list[Post | None]] = {
        role: [*posts_with_role(role, towns)] or [None] for role in {task.post for _, task in due}
    }
    have: set[tuple[str, str | None]] = set(response.tasks.values_list("plan_task", "post_id"))
    fresh = [
        _task(response, level, task, post, at)
        for level, task in due
        for post in posts[task.post]
        if (task.id, post.pk if post else None) not in have
    ]
    Task.objects.bulk_create(fresh)
    return len(fresh)


def _task(response: Response, level: str, declared: PlanTask, post: Post | None, at: datetime) -> Task:
    in_towns = post is not None and post.scope == Scope.TOWNS and bool(post.towns)
    return Task(
        response=response,
        plan_task=declared.id,
        level=level,
        role=declared.post,
        post=post,
        text_zh=declared.text.zh,
        text_en=declared.text.en,
        # A post of several towns has its tasks in the first: it sees them there, and each of them once.
        town=post.towns[0] if post is not None and in_towns else response.town,
        issued_at=at,
        receipt_due=at + declared.receipt_within,
        done_due=at + declared.done_within if declared.done_within else None,
    )


@transaction.atomic
def end_response(*, response_id: int, at: datetime, note: str = "") -> Response:
    """Take a plan out of force (响应终止). Its tasks stay readable."""
    response = Response.objects.select_for_update().get(pk=response_id)
    guard.require("plan.end", on=response)
    if response.state != "active":
        raise ResponseRefused(plan=packs().plan(response.plan).title.zh, problem="It is not in force.")
    response.state, response.ended_at, response.changed_at = "ended", at, at
    response.save(update_fields=["state", "ended_at", "changed_at"])
    audit.record("plans.end", f"response:{response.pk}", at=at, before={"level": response.level}, after={"note": note})
    return response


@transaction.atomic
def receive_task(*, task_id: int, at: datetime) -> Task:
    """The post says that it has the task (回执)."""
    task = _locked(task_id)
    actor = guard.require("task.receive", on=task, posts=_its_post(task), roles=_its_role(task))
    if task.receipted_at is not None:
        raise TaskRefused(task=task.text_zh, problem=f"It was receipted by {task.receipted_by}.")
    task.receipted_at, task.receipted_by = at, actor.name
    task.save(update_fields=["receipted_at", "receipted_by"])
    audit.record("plans.receive_task", f"task:{task.pk}", at=at, after={"receipted_by": actor.name})
    return task


@transaction.atomic
def finish_task(*, task_id: int, at: datetime, note: str = "") -> Task:
    """The post says that the task is done. A task nobody receipted is receipted with it."""
    task = _locked(task_id)
    actor = guard.require("task.finish", on=task, posts=_its_post(task), roles=_its_role(task))
    if task.done_at is not None:
        raise TaskRefused(task=task.text_zh, problem=f"It was finished by {task.done_by}.")
    if task.receipted_at is None:
        task.receipted_at, task.receipted_by = at, actor.name
    task.done_at, task.done_by, task.note = at, actor.name, note
    task.save(update_fields=["receipted_at", "receipted_by", "done_at", "done_by", "note"])
    audit.record("plans.finish_task", f"task:{task.pk}", at=at, after={"done_by": actor.name, "note": note})
    return task


def _locked(task_id: int) -> Task:
    return Task.objects.select_for_update().get(pk=task_id)


def _its_post(task: Task) -> Iterable[str]:
    return [task.post_id] if task.post_id else []


def _its_role(task: Task) -> Iterable[str]:
    """A task that no post holds may be taken by whoever has its role by then."""
    return [] if task.post_id else [task.role]
