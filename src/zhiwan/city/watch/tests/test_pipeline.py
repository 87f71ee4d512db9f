"""A batch commits whole or not at all, once: whatever is repeated, nothing doubles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from zhiwan.city.people.acting import acting_system
from zhiwan.city.watch import pipeline
from zhiwan.city.watch.alarm_life import EventWithoutAlarm
from zhiwan.city.watch.models import Alarm, AlarmEvent, DoorCounter, LatestValue, SetAside
from zhiwan.city.watch.tests.surge import AT, EAST, event, readings

pytestmark = pytest.mark.usefixtures("secrets")
NOW = AT + timedelta(minutes=1)


@dataclass
class State:
    kind: str
    key: str
    body: bytes | None


@dataclass
class Refused:
    seq: int = 1
    device: str = "gauge-e"
    property: str = "level"
    raw: Any = "abc"
    code: str = "NOT_A_NUMBER"
    reason_zh: str = "不是数"
    reason_en: str = "not a number"
    hint_zh: str = "改"
    hint_en: str = "mend"
    at: Any = AT


def commit(**batch: Any) -> pipeline.Changes:
    facts: dict[str, Any] = {"stream": "INTAKE", "created": "c1", "seq": 10, "now": NOW}
    return pipeline.commit_batch(**(facts | batch))


def all_of(model: Any) -> list[Any]:
    with acting_system("worker"):
        return list(model.objects.order_by("pk"))


def jobs() -> list[tuple[str, dict[str, Any]]]:
    with acting_system("worker"), connection.cursor() as cursor:
        cursor.execute("SELECT task_name, args FROM procrastinate_jobs ORDER BY id")
        return [(name, json.loads(args)) for name, args in cursor.fetchall()]


def test_everything_of_a_batch_is_kept_and_told() -> None:
    changes = commit(
        observations=readings(("gauge-e", "level", 0, 3.1), ("gauge-e", "level", 5, 3.4), ("gauge-w", "flow", 0, 7)),
        events=[event("opened")],
        judge_rows=[State("rule", "high|gauge-e", b"\x00\xff")],
        intake_rows=[State("seen", "gauge-e", b"1")],
        set_aside=[Refused()],
        counts={"taken": 3, "NOT_A_NUMBER": 1},
    )
    assert changes.fresh
    assert sorted(hint["kind"] for hint in changes.hints) == ["alarm", "set_aside", "value", "value"]
    level, flow = all_of(LatestValue)[1], all_of(LatestValue)[0]
    found = {(one.entity_id, one.property): (one.value, one.town) for one in (level, flow)}
    assert found[("gauge-e", "level")] == (3.4, EAST)
    (alarm,) = all_of(Alarm)
    assert (alarm.state, alarm.town, alarm.rank, alarm.evidence["limits"]) == ("open", EAST, 2, {"limit": 3.3})
    assert pipeline.load_state("judge") == [("rule", "high|gauge-e", b"\x00\xff")]
    assert pipeline.load_state("intake") == [("seen", "gauge-e", b"1")]
    (refused,) = all_of(SetAside)
    assert (refused.entity, refused.town, refused.raw, refused.state) == ("gauge-e", EAST, "abc", "open")
    counted = {one.code: one.count for one in all_of(DoorCounter) if one.door == "http"}
    assert counted == {"taken": 3, "NOT_A_NUMBER": 1}
    assert [name for name, _ in jobs()] == ["zhiwan.cases.open_from_alarms", "zhiwan.watch.propose_warnings"]
    cursor = pipeline.cursor_of("INTAKE")
    assert cursor == pipeline.Cursor("c1", 10)


def test_a_batch_sent_again_changes_nothing() -> None:
    batch: dict[str, Any] = {
        "observations": readings(("gauge-e", "level", 0, 3.4)),
        "events": [event("opened")],
        "set_aside": [Refused()],
        "counts": {"taken": 1},
    }
    commit(**batch)
    again = commit(**batch)
    lower = commit(**batch | {"seq": 4})
    assert not again.fresh
    assert not lower.fresh
    assert len(all_of(AlarmEvent)) == len(all_of(Alarm)) == len(all_of(SetAside)) == 1
    assert [one.count for one in all_of(DoorCounter)] == [1]
    assert len(jobs()) == 2


def test_a_stream_made_anew_begins_at_its_own_numbers() -> None:
    commit(seq=500)
    assert commit(created="c2", seq=3, observations=readings(("gauge-e", "level", 0, 1))).fresh
    assert pipeline.cursor_of("INTAKE") == pipeline.Cursor("c2", 3)


def test_events_in_another_split_open_no_second_alarm() -> None:
    """After a crash the same events may come in other batches: their ids are known."""
    commit(seq=1, events=[event("opened"), event("raised", minutes=5, step=2, level="ii", rank=3, tone="orange")])
    commit(seq=2, events=[event("raised", minutes=5, step=2, level="ii", rank=3, tone="orange")])
    assert [one.rank for one in all_of(Alarm)] == [3]
    assert len(all_of(AlarmEvent)) == 2


def test_a_failing_part_takes_the_whole_batch_back() -> None:
    with pytest.raises(EventWithoutAlarm):
        commit(observations=readings(("gauge-e", "level", 0, 3.4)), events=[event("cleared", alarm="never-opened")])
    assert all_of(LatestValue) == []
    assert pipeline.cursor_of("INTAKE") is None


def test_an_older_reading_does_not_replace_a_newer_one_but_a_correction_does() -> None:
    commit(seq=1, observations=readings(("gauge-e", "level", 10, 3.0)))
    commit(seq=2, observations=readings(("gauge-e", "level", 5, 9.9)))
    assert [one.value for one in all_of(LatestValue)] == [3.0]
    corrected = readings(("gauge-e", "level", 10, 3.1)).with_columns(recorded_at=AT + timedelta(hours=1))
    commit(seq=3, observations=corrected)
    assert [one.value for one in all_of(LatestValue)] == [3.1]


def test_an_alarm_lives_and_ends() -> None:
    commit(seq=1, events=[event("opened")])
    commit(seq=2, events=[event("quiet", minutes=9, step=2)])
    assert [one.state for one in all_of(Alarm)] == ["latched"]
    commit(seq=3, events=[event("cleared", minutes=20, step=3)])
    (alarm,) = all_of(Alarm)
    assert (alarm.state, alarm.cleared_at, alarm.opened_at) == ("cleared", AT + timedelta(minutes=20), AT)


def test_the_alarm_keeps_why_it_fired_after_it_cleared() -> None:
    commit(seq=1, events=[event("opened", joins="a0")])
    commit(seq=2, events=[event("cleared", minutes=20, step=2, value=2.9, evidence={"limits": {}})])
    (alarm,) = all_of(Alarm)
    assert (alarm.value, alarm.evidence["limits"], alarm.joins) == (3.4, {"limit": 3.3}, "a0")


def test_an_alarm_that_never_was_is_withdrawn_and_asks_for_nothing() -> None:
    commit(seq=1, events=[event("opened")])
    before = len(jobs())
    commit(seq=2, events=[event("corrected", step=2, late=True, state="withdrawn")])
    (alarm,) = all_of(Alarm)
    assert (alarm.state, alarm.corrected) == ("withdrawn", 1)
    assert len(jobs()) == before


def test_an_alarm_that_joins_anothers_notice_asks_for_no_case_of_its_own() -> None:
    commit(events=[event("opened"), event("opened", alarm="a2", entity="gauge-w", joins="a1")])
    assert [args["alarm_ids"] for _, args in jobs()] == [["a1"], ["a1"]]


def test_state_that_is_forgotten_is_gone() -> None:
    commit(seq=1, judge_rows=[State("rule", "k", b"1"), State("rule", "l", b"2")])
    commit(seq=2, judge_rows=[State("rule", "k", None), State("rule", "l", b"3")])
    assert pipeline.load_state("judge") == [("rule", "l", b"3")]


def test_raw_bytes_that_postgresql_cannot_keep_are_shown_instead() -> None:
    commit(set_aside=[Refused(raw="a\x00b" + "x" * 5000, device="nobody")])
    (refused,) = all_of(SetAside)
    assert refused.raw.startswith("a␀b")
    assert len(refused.raw) == pipeline.RAW_LENGTH
    assert (refused.entity, refused.town) == ("", "")


def test_readings_of_an_entity_that_is_gone_are_left_out() -> None:
    changes = commit(observations=readings(("nobody", "level", 0, 1)))
    assert changes.hints == []


def test_the_ticker_has_no_cursor_but_its_events_are_known() -> None:
    for _ in range(2):
        pipeline.commit_batch(stream=None, events=[event("opened")], now=NOW)
    assert len(all_of(Alarm)) == len(all_of(AlarmEvent)) == 1
