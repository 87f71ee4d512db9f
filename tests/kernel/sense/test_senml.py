"""SenML (RFC 8428) as devices send it: base fields, relative times, units, and what is no observation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sense_world import MINUTE, NOON, intake, message

from zhiwan.kernel.sense import IntakeMemory, Taken

EPOCH = NOON.timestamp()


def take(*records: object, device: str = "g1") -> Taken:
    return intake().take([message(list(records), device=device, kind="senml")], IntakeMemory(), NOON)


def rows(taken: Taken) -> list[tuple[object, ...]]:
    return taken.observations.select("property", "observed_at", "value").rows()


def test_a_single_record_is_a_reading_of_now() -> None:
    assert rows(take({"n": "level", "u": "m", "v": 3.3})) == [("level", NOON, 3.3)]


def test_base_fields_hold_for_all_records_after_them() -> None:
    taken = take(
        {"bn": "urn:dev:ow:10e2073a01080063:", "bt": EPOCH - 120, "bu": "m", "bver": 10, "n": "level", "v": 1},
        {"n": "level", "t": 60, "v": 2},
        {"n": "co", "u": "ug/m3", "t": 120, "v": 300},
    )
    assert rows(taken) == [
        ("level", NOON - 2 * MINUTE, 1.0), ("level", NOON - MINUTE, 2.0), ("co", NOON, 0.3),
    ]  # fmt: skip
    assert taken.set_aside == []


def test_small_times_count_from_receipt() -> None:
    assert rows(take({"bn": "g1/", "bt": -60, "n": "level", "t": -0.5, "v": 1})) == [
        ("level", NOON - MINUTE - timedelta(seconds=0.5), 1.0)
    ]


def test_a_record_may_carry_base_fields_alone() -> None:
    assert rows(take({"bn": "g1:", "bu": "cm"}, {"n": "level", "v": 330})) == [("level", NOON, 3.3)]


def test_a_base_value_is_added() -> None:
    assert rows(take({"bv": 2, "n": "level", "v": 1.5}, {"n": "level", "t": -60})) == [
        ("level", NOON, 3.5),
        ("level", NOON - MINUTE, 2.0),
    ]


def test_a_boolean_is_zero_or_one() -> None:
    assert rows(take({"n": "open", "vb": True})) == [("open", NOON, 1.0)]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"n": "level", "vs": "high"}, "NOT_A_NUMBER"),
        ({"n": "level", "vd": "aGk"}, "NOT_A_NUMBER"),
        ({"n": "level", "v": "3"}, "NOT_A_NUMBER"),
        ({"n": "level", "vb": 1}, "NOT_A_NUMBER"),
        ({"n": "level", "vb": True}, "NOT_A_NUMBER"),  # metres are not true
        ({"n": "level"}, "NOT_A_NUMBER"),
        ({"n": "level", "s": 4}, "NOT_A_NUMBER"),
        ({"n": "level", "u": "kg", "v": 1}, "WRONG_UNIT"),
        ({"n": "speed", "v": 1}, "UNKNOWN_PROPERTY"),
        ({"n": "level", "v": 1, "t": "now"}, "BAD_TIME"),
        ({"n": "level", "v": 1, "t": 1e15}, "BAD_TIME"),
        ({"n": "level", "v": 1, "t": EPOCH - 8 * 86400}, "TOO_OLD"),
        ({"n": "level", "v": 1, "t": 600}, "TOO_NEW"),
        ({"n": "level", "v": 1, "vb": True}, "MALFORMED"),
        ({"n": "with space", "v": 1}, "MALFORMED"),
        ({"v": 1}, "MALFORMED"),
        ({"bver": 11, "n": "level", "v": 1}, "MALFORMED"),
        ("level", "MALFORMED"),
        ({"bn": "g2/", "n": "level", "v": 1}, "UNKNOWN_DEVICE"),
    ],
)
def test_a_bad_record_is_set_aside_and_its_neighbour_lives(record: object, code: str) -> None:
    taken = take({"n": "co", "v": 2.5}, record)
    assert rows(taken) == [("co", NOON, 2.5)]
    assert [one.code for one in taken.set_aside] == [code]


def test_a_field_that_must_be_understood_refuses_the_pack() -> None:
    taken = take({"n": "level", "v": 1}, {"n": "co", "v": 1, "scale_": 10})
    assert taken.observations.is_empty()
    assert [one.code for one in taken.set_aside] == ["MALFORMED"]


def test_an_extra_field_is_counted_and_the_record_lives() -> None:
    taken = take({"n": "level", "v": 1, "vendor": "x", "ut": 5})
    assert rows(taken) == [("level", NOON, 1.0)]
    assert [(one.code, one.property) for one in taken.set_aside] == [("EXTRA_FIELD", "vendor")]


def test_an_object_is_no_pack() -> None:
    door = intake()
    taken = door.take([message({"n": "level", "v": 1}, kind="senml")], IntakeMemory(), NOON)
    assert [one.code for one in taken.set_aside] == ["MALFORMED"]
