"""What people do to alarms, warnings and refused values: who may, in which order, and what follows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden, NobodyActs, OutOfScope
from zhiwan.city.people.models import AuditRecord
from zhiwan.city.watch import actions, pipeline, queries
from zhiwan.city.watch.actions.alarms import AcknowledgedAlready, AlarmUnknown
from zhiwan.city.watch.actions.set_aside import CorrectionRefused, NotOpen
from zhiwan.city.watch.actions.warnings import WarningStepRefused, WarningUnknown
from zhiwan.city.watch.models import SetAside, Warning
from zhiwan.city.watch.tests.surge import AT, DISTRICT, EAST, KIND, event, post
from zhiwan.city.watch.tests.test_pipeline import Refused, commit, jobs
from zhiwan.kernel.bus.memory import MemoryBus
from zhiwan.kernel.facts.errors import PartUnavailable

pytestmark = pytest.mark.usefixtures("secrets")


@pytest.fixture
def bus() -> MemoryBus:
    made = MemoryBus()
    packs_loaded.use_bus(made)
    return made


def as_post(id: str, action: Any, **arguments: Any) -> Any:
    with acting(post(id)):
        return action(**arguments)


# -- alarms ----------------------------------------------------------------------------------------------------------


def test_acknowledging_a_latched_alarm_lets_the_judge_release_it() -> None:
    commit(events=[event("opened")])
    as_post("desk", actions.acknowledge_alarm, alarm_id="a1", at=AT)
    assert pipeline.take_releases() == ["a1"]
    with pytest.raises(AcknowledgedAlready):
        as_post("chief", actions.acknowledge_alarm, alarm_id="a1", at=AT)
    commit(seq=11, events=[event("cleared", minutes=9, step=2)])
    assert pipeline.take_releases() == []
    with acting(post("desk")):
        detail = queries.alarm_detail("a1")
    assert detail is not None
    assert [step.kind for step in detail.steps] == ["opened", "acknowledged", "cleared"]


def test_a_town_acknowledges_its_own_alarm_and_does_not_see_anothers() -> None:
    commit(events=[event("opened")])
    with pytest.raises(AlarmUnknown):
        as_post("west", actions.acknowledge_alarm, alarm_id="a1", at=AT)
    as_post("east", actions.acknowledge_alarm, alarm_id="a1", at=AT)


# -- warnings --------------------------------------------------------------------------------------------------------


def proposed() -> Warning:
    commit(events=[event("opened")])
    with acting_system("jobs"):
        (warning,) = actions.propose_from_alarms(alarm_ids=["a1"], at=AT)
    return warning


def in_force() -> Warning:
    warning = proposed()
    as_post("desk", actions.review_warning, warning_id=warning.id, at=AT)
    as_post("flood", actions.sign_warning, warning_id=warning.id, at=AT)
    as_post("flood", actions.publish_warning, warning_id=warning.id, at=AT)
    return warning


def test_an_alarm_proposes_one_warning_however_often_it_is_asked() -> None:
    warning = proposed()
    with acting_system("jobs"):
        assert actions.propose_from_alarms(alarm_ids=["a1", "a1"], at=AT) == []
    assert (warning.state, warning.level, warning.area, warning.town) == ("proposed", "iv", DISTRICT, "")


def test_a_worse_alarm_raises_the_proposal_instead_of_making_a_second() -> None:
    warning = proposed()
    commit(seq=11, events=[event("raised", step=2, level="ii", rank=3, peak_rank=3)])
    with acting_system("jobs"):
        (again,) = actions.propose_from_alarms(alarm_ids=["a1"], at=AT)
    assert (again.id, again.level) == (warning.id, "iii")


def test_a_warning_goes_its_way_and_only_its_authority_signs() -> None:
    warning = proposed()
    with pytest.raises(WarningStepRefused):
        as_post("flood", actions.sign_warning, warning_id=warning.id, at=AT)
    as_post("desk", actions.review_warning, warning_id=warning.id, note="read", at=AT)
    for id in ("chief", "desk"):
        with pytest.raises(ActionForbidden):
            as_post(id, actions.sign_warning, warning_id=warning.id, at=AT)
    with pytest.raises(ActionForbidden):  # a town reads a warning of the whole district and changes nothing on it
        as_post("east", actions.sign_warning, warning_id=warning.id, at=AT)
    as_post("flood", actions.sign_warning, warning_id=warning.id, at=AT)
    as_post("chief", actions.publish_warning, warning_id=warning.id, at=AT)
    with acting(post("chief")):
        detail = queries.warning_detail(warning.id)
    assert detail is not None
    assert [step.step for step in detail.steps] == ["propose", "review", "sign", "publish"]
    assert len(detail.receipts) == 6
    assert "lift" in detail.may
    assert "zhiwan.plans.follow_warnings" in [name for name, _ in jobs()]


@pytest.mark.mission("D25")
def test_no_machine_signs_a_warning() -> None:
    warning = proposed()
    as_post("desk", actions.review_warning, warning_id=warning.id, at=AT)
    with acting_system("jobs"), pytest.raises(ActionForbidden):
        actions.sign_warning(warning_id=warning.id, at=AT)
    with pytest.raises((NobodyActs, WarningUnknown)):
        actions.sign_warning(warning_id=warning.id, at=AT)


def test_an_edit_after_the_review_needs_a_new_review() -> None:
    warning = proposed()
    as_post("desk", actions.review_warning, warning_id=warning.id, at=AT)
    changed = as_post("desk", actions.edit_warning, warning_id=warning.id, level="iii", at=AT)
    assert (changed.state, changed.level, changed.reviewed_by) == ("draft", "iii", None)


def test_a_town_receives_a_warning_of_the_whole_district_once() -> None:
    warning = in_force()
    receipt = as_post("east", actions.receive_warning, warning_id=warning.id, at=AT)
    assert receipt.received_at == AT
    with pytest.raises(ActionForbidden):
        as_post("east", actions.receive_warning, warning_id=warning.id, at=AT)


def test_a_change_replaces_the_warning_only_when_it_is_published_itself() -> None:
    warning = in_force()
    later = as_post("desk", actions.change_warning, warning_id=warning.id, level="iii", at=AT)
    as_post("chief", actions.review_warning, warning_id=later.id, at=AT)
    as_post("flood", actions.sign_warning, warning_id=later.id, at=AT)
    with acting(post("chief")):
        assert Warning.objects.get(id=warning.id).state == "published"
    as_post("flood", actions.publish_warning, warning_id=later.id, at=AT)
    with acting(post("chief")):
        assert Warning.objects.get(id=warning.id).state == "changed"


def test_a_town_may_draft_for_itself_only() -> None:
    with pytest.raises(ActionForbidden):
        as_post("east", actions.draft_warning, kind=KIND, level="iv", area=EAST, at=AT)
    with pytest.raises(WarningUnknown):
        as_post("desk", actions.draft_warning, kind=KIND, level="purple", area=EAST, at=AT)
    warning = as_post("desk", actions.draft_warning, kind=KIND, level="iv", area=EAST, at=AT)
    assert (warning.town, warning.title_zh) == (EAST, "surge iv")


# -- refused values --------------------------------------------------------------------------------------------------


def refused(**facts: Any) -> int:
    commit(set_aside=[Refused(**facts)])
    with acting_system("worker"):
        return SetAside.objects.get().id


def test_a_corrected_value_goes_through_the_stream_again(bus: MemoryBus) -> None:
    id = refused()
    as_post("desk", actions.fix_set_aside, set_aside_id=id, value=3.4, note="typed wrong", at=AT)
    (message,) = bus.open_reader("INTAKE").pull(10, 0)
    sent = orjson.loads(message.payload)
    assert message.subject == "intake.corrected"
    assert sent == {"device": "gauge-e", "at": AT.timestamp() * 1000, "values": {"level": 3.4}}
    with acting(post("desk")):
        row = queries.set_aside(state="fixed").rows[0]
    assert (row.state, row.note) == ("fixed", "typed wrong")
    with pytest.raises(NotOpen):
        as_post("desk", actions.fix_set_aside, set_aside_id=id, value=3.4, at=AT)


@pytest.mark.parametrize(
    "correction",
    [{"property": "depth"}, {"unit": "kg"}, {"observed_at": AT - timedelta(days=8)}, {"value": float("inf")}],
)
def test_a_correction_that_would_be_refused_again_is_not_sent(bus: MemoryBus, correction: dict[str, Any]) -> None:
    id = refused()
    with pytest.raises(CorrectionRefused):
        as_post("desk", actions.fix_set_aside, set_aside_id=id, at=AT, **({"value": 1.0} | correction))
    assert bus.open_reader("INTAKE").pull(10, 0) == []


def test_a_value_of_an_unknown_device_can_only_be_dropped(bus: MemoryBus) -> None:
    id = refused(device="nobody")
    with pytest.raises(CorrectionRefused):
        as_post("desk", actions.fix_set_aside, set_aside_id=id, value=1.0, at=AT)
    as_post("desk", actions.drop_set_aside, set_aside_id=id, note="not ours", at=AT)


def test_without_the_bus_the_row_stays_open() -> None:
    id = refused()
    packs_loaded.use_bus(None)
    with pytest.raises(PartUnavailable):
        as_post("desk", actions.fix_set_aside, set_aside_id=id, value=3.4, at=AT)
    with acting(post("desk")):
        assert queries.set_aside_counts() == [("NOT_A_NUMBER", 1)]


def test_dropping_needs_a_reason_and_is_audited() -> None:
    id = refused()
    with pytest.raises(CorrectionRefused):
        as_post("desk", actions.drop_set_aside, set_aside_id=id, note="  ", at=AT)
    as_post("desk", actions.drop_set_aside, set_aside_id=id, note="test device", at=AT)
    with acting(post("chief")):
        record = AuditRecord.objects.get(action="set_aside.drop")
    assert (record.post, record.after) == ("desk", {"note": "test device"})


def test_a_town_duty_post_may_not_settle_refused_values() -> None:
    id = refused()
    with pytest.raises((ActionForbidden, OutOfScope)):
        as_post("east", actions.drop_set_aside, set_aside_id=id, note="no", at=AT)


# -- jobs ------------------------------------------------------------------------------------------------------------


def test_the_jobs_of_an_alarm_open_its_case_and_propose_its_warning() -> None:
    from procrastinate.contrib.django import app

    import zhiwan.city.jobs  # noqa: F401 - registers the tasks

    commit(events=[event("opened")])
    for name, arguments in jobs():
        app.tasks[name](**arguments)
        app.tasks[name](**arguments)
    with acting_system("jobs"), connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM cases_case), (SELECT count(*) FROM watch_warning)")
        assert cursor.fetchone() == (1, 1)


def test_retention_forgets_what_is_settled_and_old() -> None:
    from zhiwan.city.watch.retention import forget_old_rows

    id = refused()
    as_post("desk", actions.drop_set_aside, set_aside_id=id, note="old", at=AT)
    with acting_system("jobs"):
        assert forget_old_rows(now=AT + timedelta(days=10))["set_aside"] == 0
        assert forget_old_rows(now=AT + timedelta(days=200))["set_aside"] == 1
