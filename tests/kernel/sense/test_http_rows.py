"""The HTTP door: every refused row is named in the answer, and what is accepted passes intake unchanged."""

from __future__ import annotations

import json

import pytest
from sense_world import MINUTE, NOON, intake, rows_message

from zhiwan.kernel.sense import BodyRefused, HttpRows, IntakeMemory, decode_http_rows

ROWS: list[object] = [
    {"device": "g1", "at": "2026-11-24T11:59:00.123456Z", "values": {"level": {"value": 330, "unit": "cm"}}},
    {"device": "g2", "values": {"level": 1, "speed": 2, "mode": "run"}},
    {"device": "nobody", "values": {"level": 1}},
    {"device": "g1", "at": "yesterday", "values": {"level": 1}},
    {"device": "g1", "at": "2026-11-01T00:00:00Z", "values": {"level": 1}},
    {"values": {"level": 1}},
    "nonsense",
    {"device": "g1", "values": {"level": "high"}},
    {"device": "g1", "values": {"co": 1}, "battery": 3},
]


def check(body: bytes, kind: str = "application/json") -> HttpRows:
    return decode_http_rows(body, kind, intake=intake(), received_at=NOON)


def told(found: HttpRows) -> list[tuple[int, str, str, bool]]:
    return [(one.index, one.code, one.property, one.row_taken) for one in found.refused]


EXPECTED = [
    (1, "UNKNOWN_PROPERTY", "speed", True),
    (2, "UNKNOWN_DEVICE", "", False),
    (3, "BAD_TIME", "", False),
    (4, "TOO_OLD", "", False),
    (5, "MALFORMED", "", False),
    (6, "MALFORMED", "", False),
    (7, "NOT_A_NUMBER", "level", False),
    (8, "EXTRA_FIELD", "battery", True),
]


def test_an_array_and_lines_are_checked_alike() -> None:
    array = check(json.dumps(ROWS).encode(), "application/json; charset=utf-8")
    lines = check("\n".join(json.dumps(row) for row in ROWS).encode() + b"\n\n", "application/x-ndjson")
    assert told(array) == told(lines) == EXPECTED
    assert (array.rows, array.accepted_rows, array.accepted_values) == (9, 3, 4)
    assert array.messages == lines.messages
    assert all(one.reason_zh and one.reason_en and one.hint_zh and one.hint_en for one in array.refused)


def test_what_the_door_accepts_intake_takes_unchanged() -> None:
    (payload,) = check(json.dumps(ROWS).encode()).messages
    taken = intake().take([rows_message(payload, at=NOON + MINUTE)], IntakeMemory(), NOON)
    assert taken.set_aside == []
    assert taken.observations.select("entity", "property", "value", "source").rows() == [
        ("e-g1", "level", 3.3, "g1"), ("e-g2", "level", 1.0, "g2"),
        ("e-g2", "mode", 1.0, "g2"), ("e-g1", "co", 1.0, "g1"),
    ]  # fmt: skip
    times = taken.observations["observed_at"].to_list()
    assert times[0].isoformat() == "2026-11-24T11:59:00.123456+00:00"
    assert times[1] == NOON, "the door's time of receipt, not the stream's"


def test_a_line_that_is_no_json_is_refused_alone() -> None:
    found = check(
        b'{"device":"g1","values":{"level":1}}\n{oops\n{"device":"g2","values":{"level":1}}', "application/jsonl"
    )
    assert told(found) == [(1, "MALFORMED", "", False)]
    assert found.accepted_rows == 2


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[{]", "application/json"), (b"[]", "text/plain"), (b" " * 9_000_000, "application/json")],
)
def test_a_body_that_is_no_list_of_rows_is_refused_whole(body: bytes, kind: str) -> None:
    with pytest.raises(BodyRefused):
        check(body, kind)


def test_many_rows_become_messages_within_the_limit() -> None:
    row = {"device": "g1", "values": {"level": 1.25}}
    found = check(json.dumps([row] * 20_000).encode())
    assert len(found.messages) > 1
    assert max(map(len, found.messages)) < 600_000
    assert sum(one.count(b"\n") + 1 for one in found.messages) == found.accepted_rows == 20_000
