"""The persons of a story: they receive tasks, take and close cases and confirm alarms, each through a post of its role.

What they do goes through the same actions, guards and audit as what anyone does, in the story's space and under their
own names (推演人员). Signing is left to a person at the screen, unless the story was started with --auto.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial

from zhiwan.city.cases import actions as cases
from zhiwan.city.cases.models import Case, CaseState
from zhiwan.city.packs_loaded import packs, region
from zhiwan.city.people.acting import Actor, acting, acting_system
from zhiwan.city.people.models import Post
from zhiwan.city.people.queries import posts_with_role
from zhiwan.city.plans import actions as plans
from zhiwan.city.plans.models import Task
from zhiwan.city.registry import clock
from zhiwan.city.watch.actions import (
    acknowledge_alarm,
    lift_warning,
    publish_warning,
    record_outside_warning,
    review_warning,
    sign_warning,
)
from zhiwan.city.watch.actions.warnings import reject_warning
from zhiwan.city.watch.models import Alarm, AlarmState, Warning, WarningState
from zhiwan.city.watch.warning_life import UNDER_WAY
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.packs.models import Text
from zhiwan.kernel.packs.stories import StoryMessage

log = logging.getLogger(__name__)
#: By the story's clock.
RECEIPT_AFTER = timedelta(minutes=4)
DONE_AFTER = timedelta(minutes=40)
TAKE_AFTER = timedelta(minutes=5)


class Persons:
    """Who plays in this space. Posts are the district's own; a role without a person is left alone."""

    def __init__(self, space: str, cast: dict[str, Text]) -> None:
        self._space = space
        self._cast = cast

    def as_role(self, role: str, post: Post | None = None) -> AbstractContextManager[Actor]:
        """Act as the story's person of this role."""
        chosen = post or posts_with_role(role)[0]
        return acting(chosen, space=self._space, name=self._cast[role].zh)

    def work(self) -> None:
        """A round: what waits for long enough is done. A step that is refused is tried again in the next round."""
        with acting_system("cli", space=self._space):
            now = clock.now()
            tasks = list(Task.objects.filter(done_at=None).select_related("post"))
            open_cases = list(Case.objects.exclude(state=CaseState.CLOSED).select_related("alarm"))
            latched = list(Alarm.objects.filter(state=AlarmState.LATCHED, acknowledged_at=None).values_list("id"))
        for task in tasks:
            self._do(task.role, task.post, partial(self._task, task, now))
        for case in open_cases:
            self._do(case.role, None, partial(self._case, case, now))
        for (alarm,) in latched:
            self._do("operator", None, partial(acknowledge_alarm, alarm_id=alarm))

    def _do(self, role: str, post: Post | None, act: Callable[[], object]) -> None:
        if role not in self._cast:
            return
        try:
            with self.as_role(role, post):
                act()
        except CityError as problem:
            log.info("a story person was refused: %s", problem)

    def _task(self, task: Task, now: datetime) -> None:
        if task.receipted_at is None:
            if now >= task.issued_at + RECEIPT_AFTER:
                plans.receive_task(task_id=task.pk, at=now)
        elif now >= task.issued_at + DONE_AFTER:
            plans.finish_task(task_id=task.pk, at=now, note="推演")

    def _case(self, case: Case, now: datetime) -> None:
        if case.state == CaseState.OPEN:
            if now >= case.opened_at + TAKE_AFTER:
                cases.take(case_id=case.pk, at=now)
        elif case.alarm is None or case.alarm.state in (*AlarmState.ended(), AlarmState.LATCHED):
            if case.state == CaseState.TAKEN:
                cases.handle(case_id=case.pk, note="推演：现场处置完成", at=now)
            else:
                outcomes = packs().case_kind(case.kind).outcomes
                true = next((one for one in outcomes if one.scores == "hit"), outcomes[0])
                cases.close(case_id=case.pk, outcome=true.id, at=now, note="推演")

    # -- warnings ---------------------------------------------------------------------------------------------------

    def record(self, message: StoryMessage) -> None:
        """The desk records what another authority issued, for the whole district, as it issued it."""
        with self.as_role("duty_chief"):
            record_outside_warning(
                kind=message.warning,
                level=message.level,
                area=region(),
                message_id=message.message_id,
                issued_at=clock.now(),
                text=message.text,
            )

    def review(self, warning: int) -> None:
        with self.as_role("operator"):
            review_warning(warning_id=warning, note="推演：已与现场核对")

    def sign(self, warning: int) -> None:
        """Only with --auto: recorded under the story person's name."""
        with self.as_role("duty_chief"):
            sign_warning(warning_id=warning)

    def publish(self, warning: int) -> None:
        with self.as_role("duty_chief"):
            publish_warning(warning_id=warning)

    def lift_all(self) -> None:
        """Lift what is in force; put aside what was only proposed."""
        with acting_system("cli", space=self._space):
            found = list(
                Warning.objects.filter(state__in=[WarningState.PUBLISHED, *UNDER_WAY]).values_list("id", "state")
            )
        for id, state in found:
            with self.as_role("duty_chief"):
                if state == WarningState.PUBLISHED:
                    lift_warning(warning_id=id, note="推演：水退雨停")
                elif state != WarningState.SIGNED:
                    reject_warning(warning_id=id, note="推演：不再需要")
