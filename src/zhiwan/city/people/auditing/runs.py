"""Longer work on the audit that a page asks for and a job does: checking all chains, letting a month go.

ask_check(at) -> id          ask_retirement(month, reason, at) -> id         guarded, recorded
do_check(id, …)              do_retirement(id)                               the jobs
runs(kind, most)             run(id)                                         for the page
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app

from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.auditing import checking, retention
from zhiwan.city.people.models import AuditRun, Post, User
from zhiwan.kernel.facts.errors import CityError, InputRefused

log = logging.getLogger(__name__)
CHECK = "zhiwan.audit.check"
RETIRE = "zhiwan.audit.retire"
QUEUE = "city"
KEPT_RUNS = 50
#: A run that told nothing for so long was interrupted.
SILENT = timedelta(minutes=5)
KEPT_FINDINGS = 200


class RunUnderWay(InputRefused):
    """The same is being done already."""

    code = "AUDIT-007"
    fact = "this is being done already, since {since}"
    hint = "Wait for it to end."


def ask_check(*, at: datetime | None = None) -> int:
    """Ask for a check of all chains now. Raises RunUnderWay."""
    guard.require("audit.verify")
    now = at or timezone.now()
    run = _begin("verify", now, {})
    audit.record("audit.verify", f"audit-run:{run.pk}", at=now)
    app.configure_task(CHECK, queue=QUEUE).defer(run_id=run.pk)
    return int(run.pk)


def ask_retirement(*, month: str, reason: str, at: datetime | None = None) -> int:
    """Ask that the oldest month be let go. What stands against it is said at once, and looked at again by the job."""
    actor = guard.require("audit.retire")
    now = at or timezone.now()
    retention.require_due(month, now)
    retention.require_checked(now)
    order = {
        "month": month, "reason": reason, "post": actor.post.pk if actor.post else None,
        "user": actor.user.pk if actor.user else None, "address": actor.address,
    }  # fmt: skip
    run = _begin("retire", now, order)
    app.configure_task(RETIRE, queue=QUEUE).defer(run_id=run.pk)
    return int(run.pk)


@transaction.atomic
def _begin(kind: str, now: datetime, order: dict[str, Any]) -> AuditRun:
    alive = Q(told_at__gt=now - SILENT) | Q(told_at=None, asked_at__gt=now - SILENT)
    under_way = AuditRun.objects.filter(alive, kind=kind, state__in=("waiting", "running")).first()
    if under_way is not None:
        raise RunUnderWay(since=under_way.asked_at.isoformat(timespec="seconds"))
    actor = guard.require("audit.verify" if kind == "verify" else "audit.retire")
    old = AuditRun.objects.order_by("-pk").values_list("pk", flat=True)[KEPT_RUNS:]
    AuditRun.objects.filter(pk__in=list(old)).delete()
    return AuditRun.objects.create(kind=kind, asked_at=now, asked_by=actor.name, order=order)


def begin_nightly_check(*, at: datetime) -> int:
    """The check that nobody asked for."""
    with acting_system("jobs"):
        return int(_begin("verify", at, {}).pk)


def do_check(*, run_id: int) -> None:
    """Check all chains; progress and report are told as it goes."""
    shown = 0

    def tell(done: int, total: int) -> None:
        nonlocal shown
        if done - shown >= max(2000, total // 100) or done >= total:
            shown = done
            _tell(run_id, records=done, total=max(done, total))

    _tell(run_id, state="running")
    try:
        report = checking.check_database(process="jobs", tell=tell)
    except Exception as problem:
        _fail(run_id, problem)
        raise
    body = report.as_dict()
    body["findings_left_out"] += max(0, len(body["findings"]) - KEPT_FINDINGS)
    body["findings"] = body["findings"][:KEPT_FINDINGS]
    if not report.whole:
        log.error("the audit does not hold: %s", "; ".join(one.says for one in report.findings[:5]))
    _tell(run_id, state="done", report=body, records=report.records, total=report.records, ended_at=timezone.now())


def do_retirement(*, run_id: int) -> None:
    """Let the month go, as the person who asked."""
    with acting_system("jobs"):
        run = AuditRun.objects.get(pk=run_id)
        order = run.order
        post = Post.objects.select_related("organisation").get(pk=order["post"])
        user = User.objects.filter(pk=order["user"]).first()
    if run.state == "done":
        return
    _tell(run_id, state="running")
    try:
        # Who asked showed a second factor then, or would not have been let to ask.
        with acting(post, user=user, address=order["address"], second_factor=True):
            count = retention.retire(month=order["month"], reason=order["reason"], at=timezone.now())
    except Exception as problem:
        _fail(run_id, problem)
        if isinstance(problem, CityError):
            return
        raise
    _tell(run_id, state="done", records=count, total=count, ended_at=timezone.now())


def _tell(run_id: int, **values: Any) -> None:
    with acting_system("jobs"):
        AuditRun.objects.filter(pk=run_id).update(told_at=timezone.now(), **values)


def _fail(run_id: int, problem: Exception) -> None:
    if isinstance(problem, CityError):
        told = {**{key: str(value) for key, value in problem.values.items()}, **problem.as_dict()}
    else:
        told = {"code": "AUDIT-008", "fact": type(problem).__name__, "detail": "", "hint": ""}
    _tell(run_id, state="failed", problem=told, ended_at=timezone.now())


def runs(kind: str, most: int = 10) -> list[AuditRun]:
    """The latest of a kind, newest first."""
    return list(AuditRun.objects.filter(kind=kind).order_by("-pk")[:most])


def run(run_id: int) -> AuditRun | None:
    return AuditRun.objects.filter(pk=run_id).first()


def interrupted(run: AuditRun, now: datetime) -> bool:
    """Whether its process ended before it did."""
    return run.state in ("waiting", "running") and now - (run.told_at or run.asked_at) > SILENT
