"""Lines of signed heads: each by a trusted key, each following the one before."""

from __future__ import annotations

import json

import pytest
from chains import chain, heads, signed_lines, verify

from zhiwan.kernel.guard.heads import Run, Signed, read_lines, seal_body

A = chain("org:a", 6)
LINES = signed_lines(
    heads(A[:2]), heads(A[:4]), heads(A),
    bodies=[seal_body("2026-09", {"org:a": [Run("org:a", 1, 2, A[0].previous, A[1].hash)]})],
)  # fmt: skip


def read(lines: list[bytes]) -> Signed:
    return read_lines([("f", line) for line in lines], verify)


def wrong(lines: list[bytes]) -> list[int]:
    """The numbers of the lines that are blamed."""
    return [one.first for one in read(lines).findings]


def test_what_was_signed_is_read() -> None:
    told = read(LINES)
    assert not told.findings
    assert (told.lines, told.first, told.last) == (4, 1, 4)
    assert {seq: one[0].hash for seq, one in told.anchors["org:a"].items()} == {n: A[n - 1].hash for n in (2, 4, 6)}
    assert [(run.first, run.last) for run in told.seals["org:a"]] == [(1, 2)]


@pytest.mark.parametrize("field", ["n", "at", "previous", "heads", "key", "signature", "kind"])
def test_a_changed_line_is_blamed_and_not_believed(field: str) -> None:
    whole = json.loads(LINES[1])
    changed = {
        "n": 9, "at": "2020-01-01T00:00:00.000000Z", "previous": "00", "heads": {"org:a": [5, "00"]}, "key": "k",
        "signature": "00", "kind": "seal",
    }[field]  # fmt: skip
    line = json.dumps(whole | {field: changed}).encode() + b"\n"
    told = read([LINES[0], line, *LINES[2:]])
    assert told.findings[0].first == 2
    assert 4 not in told.anchors["org:a"]


def test_lines_taken_out_put_in_or_turned_round_are_blamed() -> None:
    assert wrong([LINES[0], *LINES[2:]]) == [3]
    assert wrong([LINES[0], LINES[0], *LINES[1:]])
    assert wrong([LINES[1], LINES[0], *LINES[2:]])
    assert wrong([LINES[0], b"nonsense\n", *LINES[1:]])


def test_a_file_may_begin_later_and_end_within_a_line() -> None:
    told = read([*LINES[1:3], LINES[3][:-9]])
    assert not told.findings, "the check names the lines that are gone"
    assert (told.first, told.last, told.torn) == (2, 3, True)


def test_a_head_signed_twice_with_two_hashes_keeps_both() -> None:
    """After a chain was cut and grew anew, the file holds what was signed before and after."""
    other = chain("org:a", 6, actor="x")
    told = read(signed_lines(heads(A), heads(other)))
    assert {one.hash for one in told.anchors["org:a"][6]} == {A[5].hash, other[5].hash}
