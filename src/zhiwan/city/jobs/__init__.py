"""Background work in PostgreSQL (procrastinate). Tasks are known by name, so a lower app may ask for a higher one's.

Each task works as the process `jobs`, over the whole district, in the space it was asked from (which may have been
dropped meanwhile), and finds out by itself what is missing: it may run twice. A failed one is tried again with growing
pauses; what still fails is kept and shown on the health page.
"""

from __future__ import annotations

from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from zhiwan.city.cases import actions as cases
from zhiwan.city.jobs import audit as audit
from zhiwan.city.jobs import imports as imports
from zhiwan.city.jobs import previews as previews
from zhiwan.city.people.acting import LIVE, acting_system
from zhiwan.city.plans import actions as plans
from zhiwan.city.registry import clock
from zhiwan.city.registry.spaces import is_open
from zhiwan.city.watch.actions import propose_from_alarms
from zhiwan.city.watch.follow_up import FOLLOW_WARNINGS, OPEN_CASES, PROPOSE_WARNINGS, QUEUE
from zhiwan.city.watch.retention import forget_old_rows

AGAIN = RetryStrategy(max_attempts=8, exponential_wait=3)


@app.task(name=OPEN_CASES, queue=QUEUE, retry=AGAIN)
def open_cases(alarm_ids: list[str], space: str = LIVE) -> None:
    """The cases that these alarms raise; each in its own transaction, so that one mistake stops one case."""
    if not is_open(space):
        return
    problems = []
    for alarm_id in alarm_ids:
        try:
            with acting_system("jobs", space=space):
                cases.open_from_alarm(alarm_id=alarm_id, at=clock.now())
        except Exception as problem:
            problems.append(problem)
    if problems:
        raise problems[0]


@app.task(name=PROPOSE_WARNINGS, queue=QUEUE, retry=AGAIN, lock=PROPOSE_WARNINGS)
def propose_warnings(alarm_ids: list[str], space: str = LIVE) -> None:
    """The warnings that these alarms propose. One at a time: two must not propose the same."""
    if not is_open(space):
        return
    with acting_system("jobs", space=space):
        propose_from_alarms(alarm_ids=alarm_ids)


@app.task(name=FOLLOW_WARNINGS, queue=QUEUE, retry=AGAIN, lock=FOLLOW_WARNINGS)
def follow_warnings(space: str = LIVE) -> None:
    """Plans to the level that the warnings in force ask for. One at a time."""
    if not is_open(space):
        return
    with acting_system("jobs", space=space):
        plans.follow_warnings(at=clock.now())


@app.periodic(cron="17 3 * * *")
@app.task(name="zhiwan.watch.retention", queue=QUEUE, retry=AGAIN)
def retention(timestamp: int) -> None:
    """Once a night: settled refused values, counters, ended sessions and used links past their time."""
    with acting_system("jobs"):
        forget_old_rows(now=timezone.now())
