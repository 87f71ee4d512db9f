"""What an event carries: sentences in both languages, evidence down to the source of a limit, shared notices."""

from __future__ import annotations

import json

from building import NOW, START, book_of, both, frame, observation, pack, packs, rule, world_of

from zhiwan.kernel.judge import JudgeState, judge

LIMIT = "test.river.limit"


def events_of(declared, rows, **fields):
    set_ = packs(pack([declared]))
    return judge(book_of(set_), world_of(set_, **fields), JudgeState(), frame(rows), NOW).events


def test_sentences_are_filled_in_both_languages():
    message = {
        "zh": "{name} 水位 {value} 米，超 {value - :limit} 米，{watched}，{ground}，{observed_at}",
        "en": "{name} at {value} m, {watched}, {kind}",
    }
    declared = rule("r", when="value > :limit", message=message)
    [event] = events_of(declared, [observation("a", 0, 3.25, 1)], name_en=["North gate", "", ""])
    assert event.message_zh == "Gauge a 水位 3.3 米，超 0.3 米，是，—，2026-03-01 14:00"
    assert event.message_en == "North gate at 3.3 m, yes, tide"


def test_evidence_says_what_the_value_was_held_against_and_where_the_limit_comes_from():
    declared = rule(
        "r", when="value > :limit AND value >= warning_level - 0.5 AND value BETWEEN 1 AND 9", lasting="5min"
    )
    rows = [observation("a", minute, value, minute) for minute, value in [(0, 2.0), (5, 3.5), (10, 3.75)]]
    [event] = events_of(declared, rows)
    evidence = event.evidence
    assert json.loads(json.dumps(evidence)) == evidence
    assert evidence["limits"] == {LIMIT: 3.0, "warning_level - 0.5": 2.5, "1": 1.0, "9": 9.0}
    assert evidence["parameters"] == [
        {"id": LIMIT, "value": 3.0, "from": "2020-01-01", "source": "Order 1", "verify": False}
    ]
    assert [value for _, value in evidence["readings"]] == [2.0, 3.5, 3.75]
    assert evidence["readings"][0][0] == START.isoformat()
    assert evidence["when"].startswith("value > :limit")
    assert evidence["lasting"] == "5min"
    assert evidence["names"][f":{LIMIT}"] == 3.0
    assert event.opened_at == event.at
    assert event.rule == "test.river.r"
    assert event.rule_version == "1.2.3"


def test_evidence_keeps_the_last_120_readings():
    rows = [observation("a", minute / 10, 1.0, minute) for minute in range(300)] + [observation("a", 31, 9.0, 301)]
    [event] = events_of(rule("r"), rows)
    assert len(event.evidence["readings"]) == 120
    assert event.evidence["readings"][-1][1] == 9.0


def test_ids_are_the_same_when_judged_again():
    rows = [observation("a", 0, 3.5, 1), observation("a", 5, 1.0, 2)]
    once, again = (events_of(rule("r"), rows) for _ in range(2))
    assert [event.id for event in once] == [event.id for event in again]
    assert once[0].alarm_id == once[1].alarm_id
    assert once[0].id != once[1].id


def test_alarms_near_each_other_in_one_town_share_a_notice():
    rows = [observation("a", 0, 9.0, 1), observation("b", 5, 9.0, 2), observation("c", 50, 9.0, 3)]
    first, second, third = events_of(rule("r", near="30min"), rows)
    assert (first.joins, second.joins, third.joins) == (None, first.alarm_id, None)


def test_readings_out_of_range_of_strangers_and_of_other_properties_are_passed_over():
    rows = [
        observation("a", 0, 9.0, 1, quality=1),
        observation("nobody", 0, 9.0, 2),
        observation("a", 0, 9.0, 3, property="flow"),
        observation("a", 0, float("inf"), 4),
    ]
    assert events_of(rule("r"), rows) == []
    assert events_of(rule("r"), []) == []


def test_choices_are_told_by_their_titles():
    made = pack([rule("r", message={"zh": "{value}", "en": "{value}"}, when="value = 1")])
    choices = [
        {"id": "runs", "title": {"zh": "运行", "en": "running"}},
        {"id": "stops", "title": {"zh": "停机", "en": "stopped"}},
    ]
    [type] = made.types
    level = type.properties["level"].model_validate({"title": both("x"), "unit": "1", "choices": choices})
    set_ = packs(made.model_copy(update={"types": [type.model_copy(update={"properties": {"level": level}})]}))
    [event] = judge(book_of(set_), world_of(set_), JudgeState(), frame([observation("a", 0, 1.0, 1)]), NOW).events
    assert (event.message_zh, event.message_en) == ("停机", "stopped")
