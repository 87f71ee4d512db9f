"""Responses: plans in force, their tasks with receipt, starting and ending one by hand."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.packs_loaded import packs
from zhiwan.city.plans import actions, queries
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.views.base import Visit, act, local_url, not_found
from zhiwan.city.registry import clock


@require_GET
@opens("plan.read")
def listing(request: Visit) -> HttpResponse:
    """What is in force, and the tasks of this post."""
    now = clock.now()
    post = request.actor.post
    scales = [(pack, plan, packs().scale(pack, plan.scale)) for pack, plan in packs().plans]
    context = {
        "active": queries.responses(active=True),
        "ended": queries.responses(active=False, limit=10),
        "mine": queries.tasks(at=now, post=post.id if post else "", open_only=True),
        "plans": [(f"{pack.id}.{plan.id}", plan.title, scale.levels) for pack, plan, scale in scales],
    }
    return render(request, "portal/responses.html", context)


@require_GET
@opens("plan.read")
def detail(request: HttpRequest, id: int) -> HttpResponse:
    """One response with all its tasks."""
    found = queries.response(id)
    if found is None:
        return not_found(request, pgettext("one", "响应"))
    tasks = queries.tasks(at=clock.now(), response_id=id)
    return render(request, "portal/response.html", {"response": found, "tasks": tasks})


@require_POST
@opens("plan.respond")
def start(request: HttpRequest) -> HttpResponse:
    """A person puts a plan in force, or changes its level."""
    plan, _bar, level = request.POST.get("plan", "").partition("|")
    known = {f"{pack.id}.{one.id}" for pack, one in packs().plans}
    if plan not in known:
        return not_found(request, pgettext("one", "预案"))
    action = partial(actions.respond, plan_id=plan, level=level, at=clock.now())
    return act(request, action, _("已启动响应，任务已下达。"), reverse("portal:responses"))


@require_POST
@opens("plan.end")
def end(request: HttpRequest, id: int) -> HttpResponse:
    """响应终止."""
    if queries.response(id) is None:
        return not_found(request, pgettext("one", "响应"))
    action = partial(actions.end_response, response_id=id, at=clock.now(), note=request.POST.get("note", "").strip())
    return act(request, action, _("响应已终止。"), reverse("portal:response", args=[id]))


_STEPS = {"receive": "task.receive", "finish": "task.finish"}


@require_POST
@opens(_STEPS, by="step")
def task(request: HttpRequest, id: int, step: str) -> HttpResponse:
    """Receipt or completion of a task."""
    now = clock.now()
    if step not in ("receive", "finish") or id not in {one.id for one in queries.tasks(at=now)}:
        return not_found(request, pgettext("one", "任务"))
    back = local_url(request, request.POST.get("next"), reverse("portal:responses"))
    if step == "receive":
        return act(request, partial(actions.receive_task, task_id=id, at=now), _("已签收任务。"), back)
    note = request.POST.get("note", "").strip()
    return act(request, partial(actions.finish_task, task_id=id, at=now, note=note), _("任务已完成。"), back)
