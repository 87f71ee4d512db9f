"""A case's life: once per alarm, only legal steps, only its role, and what was true scores the rule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trial_pack import LOOK, loaded, scale, trial_pack, words
from zhiwan.city.cases import actions, queries
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.registry.models import Entity
from zhiwan.city.watch.models import Alarm, RuleScore

AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


RULE = {
    "id": "high",
    "title": words("high"),
    "watch": "Gauge.level",
    "when": "value > 3",
    "scale": "one",
    "level": "'high'",
    "message": words("high"),
    "advice": words("look"),
    "raises": "look",
}
PACK = trial_pack(scales=[scale("one", "high")], rules=[RULE], case_kinds=[LOOK])


@pytest.fixture(autouse=True)
def _pack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loaded(monkeypatch, PACK):
        yield


def post(id: str, town: str) -> Post:
    office, _ = Organisation.objects.get_or_create(id="office", name_zh="办", name_en="office", area="990001")
    return Post.objects.create(
        id=id,
        role=id,
        base_role="department_handler",
        title_zh=id,
        title_en=id,
        organisation=office,
        scope="towns",
        towns=[town],
    )


@pytest.fixture
def alarm() -> Alarm:
    with acting_system("worker"):
        Entity.objects.create(id="g1", type="Gauge", name="g1", town="990001101", area="990001101")
        return Alarm.objects.create(
            id="a1",
            rule="governance.surge.high",
            rule_version="1.0.0",
            entity_id="g1",
            property="level",
            town="990001101",
            area="990001101",
            level="high",
            rank=1,
            peak_rank=1,
            tone="red",
            state="open",
            opened_at=AT,
            changed_at=AT,
            recorded_at=AT,
            message_zh="高",
            message_en="high",
        )


@pytest.fixture
def people() -> dict[str, Post]:
    with acting_system("cli"):
        return {
            "patrol": post("patrol", "990001101"),
            "guest": post("guest", "990001101"),
            "far": post("far", "990001102"),
        }


def opened() -> Any:
    with acting_system("jobs"):
        return actions.open_from_alarm(alarm_id="a1", at=AT)


def test_an_alarm_opens_one_case_however_often_the_job_runs(alarm: Alarm) -> None:
    case = opened()
    assert (case.role, case.due_take) == ("patrol", AT + timedelta(minutes=15))
    assert opened() is None


def test_a_case_is_taken_handled_and_closed_and_scores_the_rule(alarm: Alarm, people: dict[str, Post]) -> None:
    case = opened()
    with acting(people["patrol"]):
        actions.take(case_id=case.pk, at=AT)
        actions.handle(case_id=case.pk, note="seen", at=AT)
        actions.close(case_id=case.pk, outcome="false", at=AT)
        assert [one.step for one in queries.steps(case.pk)] == ["open", "take", "handle", "close"]
        score = RuleScore.objects.get()
        assert (score.rule, score.hit, score.false_alarm) == ("governance.surge.high", 0, 1)
        alarm.refresh_from_db()
        assert alarm.score == "false_alarm"


def test_an_illegal_step_names_the_legal_ones(alarm: Alarm, people: dict[str, Post]) -> None:
    case = opened()
    with acting(people["patrol"]):
        with pytest.raises(actions.CaseStepRefused, match="take, handle"):
            actions.close(case_id=case.pk, outcome="true", at=AT)
        actions.take(case_id=case.pk, at=AT)
        with pytest.raises(actions.OutcomeUnknown, match="true, false"):
            actions.close(case_id=case.pk, outcome="maybe", at=AT)


def test_another_role_may_not_take_it_and_another_town_does_not_see_it(alarm: Alarm, people: dict[str, Post]) -> None:
    case = opened()
    with acting(people["guest"]), pytest.raises(ActionForbidden):
        actions.take(case_id=case.pk, at=AT)
    with acting(people["far"]):
        assert queries.case(case.pk, at=AT) is None
        assert queries.cases(at=AT).total == 0


def test_late_cases_are_counted_by_the_clock_that_runs(alarm: Alarm, people: dict[str, Post]) -> None:
    case = opened()
    with acting(people["patrol"]):
        assert queries.counts(at=AT).late == 0
        assert queries.counts(at=AT + timedelta(minutes=16)).late == 1
        actions.take(case_id=case.pk, at=AT)
        assert queries.counts(at=AT + timedelta(minutes=16)) == queries.Counts(open=0, taken=1, handled=0, late=0)
        assert queries.cases(at=AT + timedelta(hours=3), late=True).rows[0].late
