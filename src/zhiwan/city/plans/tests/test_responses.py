"""A response follows the published warnings; a rise adds only the difference; posts receipt and finish their tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trial_pack import loaded, scale, trial_pack, words
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.plans import actions, queries
from zhiwan.city.plans.models import Response, Task
from zhiwan.city.watch.models import Warning

AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


def task(id: str, post: str) -> dict[str, Any]:
    return {"id": id, "post": post, "text": words(id), "receipt_within": "30min", "done_within": "2h"}


WARNING = {
    "id": "tide",
    "title": words("tide"),
    "scale": "colour",
    "authority": words("office"),
    "signed_by": "chief",
    "instructions": words("stay in"),
}
DECLARED = {
    "id": "plan",
    "title": words("plan"),
    "scale": "response",
    "triggers": [{"warning": "tide", "levels": {"blue": "iv", "yellow": "iii"}}],
    "levels": [
        {"level": "iv", "tasks": [task("watch", "patrol"), task("call", "nobody")]},
        {"level": "iii", "tasks": [task("close_gates", "patrol")]},
    ],
}
PACK = trial_pack(
    scales=[scale("colour", "blue", "yellow"), scale("response", "iv", "iii")], warnings=[WARNING], plans=[DECLARED]
)
PLAN = "governance.surge.plan"


@pytest.fixture(autouse=True)
def _pack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loaded(monkeypatch, PACK):
        yield


@pytest.fixture
def patrol() -> Post:
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="办", name_en="office", area="990001")
        return Post.objects.create(
            id="patrol-101",
            role="patrol",
            base_role="department_handler",
            title_zh="巡查",
            title_en="patrol",
            organisation=office,
            scope="towns",
            towns=["990001101"],
        )


def publish(level: str, rank: int) -> Warning:
    return Warning.objects.create(
        kind="governance.surge.tide",
        level=level,
        rank=rank,
        tone="blue",
        area="",
        state="published",
        title_zh="t",
        title_en="t",
        text_zh="t",
        text_en="t",
        created_at=AT,
        published_at=AT,
    )


def test_a_published_warning_puts_the_plan_in_force_once(patrol: Post) -> None:
    with acting_system("jobs"):
        publish("blue", 1)
        actions.follow_warnings(at=AT)
        assert actions.follow_warnings(at=AT + timedelta(minutes=1)) == []
        (response,) = queries.responses()
        assert (response.level_id, response.tasks, response.receipted) == ("iv", 2, 0)
        assert set(Task.objects.values_list("plan_task", "post_id")) == {("watch", "patrol-101"), ("call", None)}


def test_a_rise_adds_only_the_difference_and_a_fall_takes_nothing_back(patrol: Post) -> None:
    with acting_system("jobs"):
        first = publish("blue", 1)
        actions.follow_warnings(at=AT)
        later = AT + timedelta(hours=1)
        second = publish("yellow", 2)
        (risen,) = actions.follow_warnings(at=later)
        assert risen.level == "iii"
        assert list(Task.objects.filter(issued_at=later).values_list("plan_task", flat=True)) == ["close_gates"]
        second.state = "lifted"
        second.save()
        (fallen,) = actions.follow_warnings(at=later)
        assert (fallen.level, fallen.warning_id, fallen.tasks.count()) == ("iv", first.pk, 3)


def test_the_response_ends_with_the_last_warning_but_not_one_that_a_person_started(patrol: Post) -> None:
    with acting_system("jobs"):
        warning = publish("blue", 1)
        actions.follow_warnings(at=AT)
        warning.state = "lifted"
        warning.save()
        actions.follow_warnings(at=AT)
        assert Response.objects.get().state == "ended"
        actions.respond(plan_id=PLAN, level="iv", at=AT)
        assert actions.follow_warnings(at=AT) == []
        assert queries.responses()[0].warning_id is None


def test_only_the_named_post_receipts_and_finishes_its_task(patrol: Post) -> None:
    with acting_system("jobs"):
        actions.respond(plan_id=PLAN, level="iii", at=AT)
        other = Post.objects.create(
            id="other", role="other", base_role="department_handler", title_zh="他", title_en="other",
            organisation_id="office", scope="district",
        )  # fmt: skip
        own = Task.objects.get(plan_task="watch")
    with acting(other), pytest.raises(ActionForbidden):
        actions.receive_task(task_id=own.pk, at=AT)
    with acting(patrol):
        actions.receive_task(task_id=own.pk, at=AT)
        with pytest.raises(actions.TaskRefused):
            actions.receive_task(task_id=own.pk, at=AT)
        actions.finish_task(task_id=own.pk, note="walked", at=AT)
        (first, *rest) = queries.tasks(at=AT + timedelta(hours=3), post=patrol.id)
        assert (first.text.en, first.late) == ("close_gates", True)
        assert [one.done_by for one in rest] == ["patrol-101"]


def test_a_level_that_the_plan_does_not_have_is_refused(patrol: Post) -> None:
    with acting_system("jobs"), pytest.raises(actions.ResponseRefused):
        actions.respond(plan_id=PLAN, level="ix", at=AT)
