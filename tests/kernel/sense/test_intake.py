"""What intake takes, what it sets aside and why: one bad value never costs the good ones beside it."""

from __future__ import annotations

import json
from datetime import timedelta

import polars as pl
import pytest
from sense_world import MINUTE, NOON, intake, message, rows_message

from zhiwan.kernel.bus.messages import Message
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, Quality
from zhiwan.kernel.sense import IntakeMemory, SetAside, Taken


def take(*messages: Message) -> Taken:
    return intake().take(messages, IntakeMemory(), NOON)


def values(taken: Taken) -> dict[str, float]:
    return dict(taken.observations.select("property", "value").rows())


def codes(taken: Taken) -> list[tuple[str, str]]:
    return [(one.code, one.property) for one in taken.set_aside]


def test_a_plain_reading_becomes_observations_of_its_entity() -> None:
    taken = take(message({"at": "2026-11-24T19:59:00+08:00", "values": {"level": 3.3, "co": 1}}, seq=7))
    assert dict(taken.observations.schema) == OBSERVATION_SCHEMA
    assert taken.observations.rows() == [
        ("e-g1", "level", NOON - MINUTE, 3.3, "g1", NOON, 0, 7),
        ("e-g1", "co", NOON - MINUTE, 1.0, "g1", NOON, 0, 7),
    ]
    assert (taken.set_aside, taken.counts) == ([], {"taken": 2})


@pytest.mark.parametrize(
    "at",
    [
        None,
        "2026-11-24T12:00:00Z",
        "2026-11-24T20:00:00.000+08:00",
        int(NOON.timestamp() * 1000),
        NOON.timestamp() * 1000,
    ],
)
def test_the_time_may_be_left_out_or_written_in_two_ways(at: object) -> None:
    taken = take(message({"values": {"level": 1}} | ({} if at is None else {"at": at})))
    assert taken.observations["observed_at"].to_list() == [NOON]


def test_an_array_holds_several_readings_that_share_the_message() -> None:
    entries = [{"at": "2026-11-24T11:59:00Z", "values": {"level": 1}}, {"values": {"level": 2}}]
    observations = take(message(entries, seq=9)).observations
    assert observations.select("value", "seq").rows() == [(1.0, 9), (2.0, 9)]


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ({"level": {"value": 330, "unit": "cm"}}, {"level": 3.3}),
        ({"co": {"value": 300, "unit": "ug/m3"}}, {"co": 0.3}),
        ({"open": True}, {"open": 1.0}),
        ({"mode": "run"}, {"mode": 1.0}),
        ({"mode": 0}, {"mode": 0.0}),
    ],
)
def test_units_booleans_and_choices_become_numbers(raw: dict[str, object], kept: dict[str, float]) -> None:
    taken = take(message({"values": raw}))
    assert values(taken) == kept
    assert taken.set_aside == []


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ('"level": "high"', "NOT_A_NUMBER"),
        ('"level": "3.3"', "NOT_A_NUMBER"),
        ('"level": null', "NOT_A_NUMBER"),
        ('"level": [1]', "NOT_A_NUMBER"),
        ('"level": true', "NOT_A_NUMBER"),
        ('"mode": "sleeping"', "NOT_A_NUMBER"),
        ('"level": {"value": 1}', "NOT_A_NUMBER"),
        ('"level": NaN', "NOT_FINITE"),
        ('"level": Infinity', "NOT_FINITE"),
        ('"level": -Infinity', "NOT_FINITE"),
        ('"level": 1e999', "NOT_FINITE"),
        ('"level": ' + "9" * 5000, "NOT_FINITE"),
        ('"level": {"value": 1, "unit": "kg"}', "WRONG_UNIT"),
        ('"level": {"value": 1, "unit": "furlong"}', "WRONG_UNIT"),
        ('"speed": 1', "UNKNOWN_PROPERTY"),
        ('"speed": "x"', "UNKNOWN_PROPERTY"),
        ('"index": 1', "DERIVED_PROPERTY"),
    ],
)
def test_a_bad_value_is_set_aside_and_its_neighbour_lives(raw: str, code: str) -> None:
    taken = take(message(('{"values": {"co": 2.5, ' + raw + "}}").encode()))
    assert values(taken) == {"co": 2.5}
    name = raw.split('"')[1]
    assert codes(taken) == [(code, name)]
    assert taken.counts == {"taken": 1, code: 1}
    (aside,) = taken.set_aside
    assert (aside.device, aside.at) == ("g1", NOON)
    assert all((aside.reason_zh, aside.reason_en, aside.hint_zh, aside.hint_en))
    assert len(aside.raw) <= 500


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "MALFORMED"),
        (b"{", "MALFORMED"),
        (b"level=3", "MALFORMED"),
        (b'{"values": {"level": 3.3}} trailing', "MALFORMED"),
        (b'{"values": {"level": 3.3, "level": 4}}', "MALFORMED"),
        (b'{"values": {"level": 3.3}, "values": {"level": 4}}', "MALFORMED"),
        (b'{"values": {"\xff": 3.3}}', "MALFORMED"),
        (b'{"level": 3.3}', "MALFORMED"),
        (b'{"values": [3.3]}', "MALFORMED"),
        (b"3.3", "MALFORMED"),
        (b"[" * 100_000, "MALFORMED"),
        (b'{"values": {"level": ' + b"[" * 20 + b"]" * 20 + b"}}", "MALFORMED"),
        (b'{"at": "2026-11-24 noon", "values": {"level": 1}}', "BAD_TIME"),
        (b'{"at": "2026-11-24T12:00:00", "values": {"level": 1}}', "BAD_TIME"),
        (b'{"at": null, "values": {"level": 1}}', "BAD_TIME"),
        (b'{"at": true, "values": {"level": 1}}', "BAD_TIME"),
        (b'{"at": 1e300, "values": {"level": 1}}', "BAD_TIME"),
        (b'{"at": NaN, "values": {"level": 1}}', "BAD_TIME"),
        (b'{"at": "2026-11-17T11:59:59Z", "values": {"level": 1}}', "TOO_OLD"),
        (b'{"at": 1795521600, "values": {"level": 1}}', "TOO_OLD"),  # seconds taken for milliseconds
        (b'{"at": "2026-11-24T12:05:01Z", "values": {"level": 1}}', "TOO_NEW"),
        (b'{"values": {"level": 1}, "pad": "' + b"x" * 10_000_000 + b'"}', "TOO_LARGE"),
    ],
)
def test_a_message_that_says_nothing_sure_is_one_set_aside(payload: bytes, code: str) -> None:
    good = message({"values": {"level": 1}}, seq=2, device="g2")
    taken = take(message(payload, seq=1), good)
    assert codes(taken) == [(code, "")]
    assert taken.observations["entity"].to_list() == ["e-g2"], "another device's message is not affected"


def test_the_door_is_exactly_seven_days_and_five_minutes_wide() -> None:
    edges = [NOON - timedelta(days=7), NOON + 5 * MINUTE]
    taken = take(message([{"at": edge.isoformat(), "values": {"level": 1}} for edge in edges]))
    assert taken.observations["observed_at"].to_list() == edges


def test_an_entry_of_an_array_is_refused_alone() -> None:
    taken = take(message([{"values": {"level": 1}}, "nonsense", {"at": "?", "values": {"level": 2}}]))
    assert values(taken) == {"level": 1.0}
    assert codes(taken) == [("MALFORMED", ""), ("BAD_TIME", "")]


def test_an_extra_field_is_counted_and_the_row_lives() -> None:
    taken = take(message({"values": {"level": 1}, "battery": 3.1, "device": "g2"}))
    assert values(taken) == {"level": 1.0}
    assert codes(taken) == [("EXTRA_FIELD", "battery"), ("EXTRA_FIELD", "device")]


def test_an_unknown_device_is_one_set_aside() -> None:
    taken = take(message({"values": {"level": 1, "co": 2}}, device="stranger"))
    assert taken.observations.is_empty()
    assert [(one.code, one.device) for one in taken.set_aside] == [("UNKNOWN_DEVICE", "stranger")]


def test_a_flood_of_bad_values_is_counted_whole_but_shown_in_part() -> None:
    taken = take(message({"values": {f"x{k}": k for k in range(5000)}}))
    assert taken.counts == {"UNKNOWN_PROPERTY": 5000}
    assert len(taken.set_aside) == 50


def test_what_is_set_aside_keeps_the_order_of_the_stream() -> None:
    messages = [
        message({"values": {"speed": 1}}, seq=1),
        message(b"{", seq=2),
        message({"values": {"speed": 2}}, seq=3),
    ]
    assert [one.seq for one in take(*messages).set_aside] == [1, 2, 3]


def test_rows_of_the_http_door_name_their_devices() -> None:
    lines = b'{"device":"g1","values":{"level":1.0}}\n{"device":"g2","at":1795521600000,"values":{"level":2.0}}'
    taken = take(rows_message(lines))
    assert taken.observations.select("entity", "value").rows() == [("e-g1", 1.0), ("e-g2", 2.0)]
    bad = take(
        rows_message(b'{"device":"x","values":{"level":1}}\n{"values":{}}\n{"device":"g1","values":{"level":"x"}}')
    )
    assert codes(bad) == [("UNKNOWN_DEVICE", ""), ("MALFORMED", ""), ("NOT_A_NUMBER", "level")]


def test_the_fast_way_and_the_slow_way_agree() -> None:
    entry = {"at": "2026-11-24T11:59:00.123456Z", "values": {"level": -0.0, "co": 12345678901234567890}}
    fast = take(message(entry)).observations
    slow = take(message(json.dumps(entry).replace("level", "\\u006cevel").encode())).observations
    assert fast.equals(slow)
    assert str(fast["value"][0]) == "0.0", "-0.0 and 0.0 are one value"


def flags(*readings: tuple[float, float], **more: object) -> list[Quality]:
    """Quality of (minute, value) readings of `level`, received when they were observed."""
    messages = [
        message({"at": (NOON + m * MINUTE).isoformat(), "values": {"level": v}}, seq=k, at=NOON + m * MINUTE)
        for k, (m, v) in enumerate(readings, 1)
    ]
    return [Quality(one) for one in take(*messages).observations["quality"]]


def test_out_of_range_is_kept_and_flagged() -> None:
    assert flags((0, 10.0), (5, 10.01), (10, -2.5)) == [Quality.GOOD, Quality.RANGE, Quality.RANGE]
    mode = take(message({"values": {"mode": 7}})).observations
    assert mode["quality"].to_list() == [int(Quality.RANGE)], "the index of no choice"


def test_the_same_value_for_longer_than_declared_is_frozen() -> None:
    readings = [(5 * k, 1.0) for k in range(14)]
    assert flags(*readings) == [Quality.GOOD] * 13 + [Quality.FROZEN]
    assert flags(*readings[:13], (65, 1.1), (70, 1.0)) == [Quality.GOOD] * 15


def test_the_first_value_after_a_gap_is_flagged() -> None:
    assert flags((0, 1.0), (15, 2.0), (30.1, 3.0), (35, 4.0)) == [Quality.GOOD, Quality.GOOD, Quality.GAP, Quality.GOOD]


def test_an_older_value_is_late_and_disturbs_no_run() -> None:
    assert flags((0, 1.0), (10, 1.0), (5, 9.0), (15, 2.0)) == [Quality.GOOD, Quality.GOOD, Quality.LATE, Quality.GOOD]


def test_a_clock_that_differs_from_receipt_is_skewed() -> None:
    entry = {"at": (NOON - 11 * MINUTE).isoformat(), "values": {"level": 1}}
    assert take(message(entry)).observations["quality"].to_list() == [int(Quality.SKEW)]


def test_a_repeated_reading_is_dropped_and_a_changed_one_corrects() -> None:
    entry = {"at": NOON.isoformat(), "values": {"level": 1.0}}
    changed = {"at": NOON.isoformat(), "values": {"level": 2.0}}
    taken = take(message(entry, 1), message(entry, 2), message(changed, 3), message(changed, 4), message(entry, 5))
    assert taken.observations.select("seq", "value", "quality").rows() == [
        (1, 1.0, 0), (3, 2.0, int(Quality.CORRECTION)), (5, 1.0, int(Quality.CORRECTION)),
    ]  # fmt: skip
    assert taken.counts == {"taken": 3, "DUPLICATE": 2}


def test_a_correction_in_one_message_is_recorded_later() -> None:
    entries = [{"at": NOON.isoformat(), "values": {"level": v}} for v in (1.0, 2.0, 2.0, 3.0)]
    observations = take(message(entries)).observations
    recorded = observations["recorded_at"].to_list()
    assert observations["value"].to_list() == [1.0, 2.0, 3.0]
    assert recorded == [NOON + timedelta(microseconds=k) for k in range(3)]


def test_recording_never_goes_back_when_the_clock_does() -> None:
    observations = take(
        message({"values": {"level": 1}}, 1, at=NOON), message({"values": {"level": 2}}, 2, at=NOON - MINUTE)
    ).observations
    assert observations["recorded_at"].to_list() == [NOON, NOON]


def test_a_repeat_from_before_memory_is_asked_of_the_lake() -> None:
    entry = {"at": (NOON - 30 * MINUTE).isoformat(), "values": {"level": 1.0}}
    asked: list[pl.DataFrame] = []

    def seen(identities: pl.DataFrame) -> pl.DataFrame:
        asked.append(identities)
        return first.observations

    door, memory = intake(seen), IntakeMemory()
    first = door.take([message(entry, 1)], memory, NOON)
    door.take([message({"values": {"level": 2.0}}, 2)], memory, NOON)
    assert asked == [], "readings newer than all before them cost no question"
    restarted = IntakeMemory.load(memory.changed())
    again = door.take([message(entry, 3), message(entry | {"values": {"level": 5}}, 4)], restarted, NOON)
    assert [frame.rows() for frame in asked] == [[("e-g1", "level", NOON - 30 * MINUTE, "g1")]]
    assert again.counts == {"taken": 1, "DUPLICATE": 1}
    assert Quality(again.observations["quality"][0]) & Quality.CORRECTION


def test_memory_survives_a_restart() -> None:
    first = [message({"values": {"level": 1.0}}, k, at=NOON + 5 * k * MINUTE) for k in range(1, 8)]
    rest = [message({"values": {"level": 1.0}}, k, at=NOON + 5 * k * MINUTE) for k in range(8, 20)]
    door, memory, restarted = intake(), IntakeMemory(), IntakeMemory()
    door.take(first, memory, NOON)
    rows = memory.changed()
    memory.mark_saved()
    assert memory.changed() == []
    restarted = IntakeMemory.load(rows)
    assert door.take(rest, restarted, NOON).observations.equals(door.take(rest, memory, NOON).observations)


def test_set_aside_texts_are_whole_sentences_in_both_languages() -> None:
    (aside,) = take(message({"values": {"level": {"value": 1, "unit": "kg"}}})).set_aside
    assert isinstance(aside, SetAside)
    assert aside.reason_zh == "单位不符：kg → m"
    assert aside.reason_en == "Wrong unit: kg → m"
    assert aside.raw == '{"value": 1, "unit": "kg"}'
