"""What a check names: each thing that can be done to a chain, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from chains import START, chain, entry, heads, signed_lines, verify
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.guard.chain import ZERO, Entry, Link, link
from zhiwan.kernel.guard.check import MOST_FINDINGS, Checker, Report
from zhiwan.kernel.guard.heads import Head, Run, Signed, joined, read_lines, seal_body

A, B = chain("org:a", 6), chain("org:b", 3)
HEADS = heads(A, B)
OTHERS: dict[str, Any] = {
    "chain": "org:z", "seq": 99, "recorded_at": START, "at": START, "user": 8, "account": "wang", "actor": "王",
    "post": "other", "organisation": None, "action": "cases.take", "subject": "case:0", "before": None,
    "after": {"state": "open"}, "purpose": "x", "address": None, "space": "drill", "form": 2,
}  # fmt: skip


def signed(*told: dict[str, Head], **more: Any) -> Signed:
    return read_lines([("heads", line) for line in signed_lines(*told, **more)], verify)


def check(*links: Link, heads: dict[str, Head] = HEADS, **more: Any) -> Report:
    checker = Checker(heads=heads, **more)
    for one in links:
        checker.take(one)
    return checker.finish()


def found(report: Report) -> list[tuple[str, str, int, int]]:
    return [(one.code, one.chain, one.first, one.last) for one in report.findings]


def rewritten(links: list[Link], at: int, **changed: Any) -> list[Link]:
    """The chain with record `at` changed and every hash after it computed anew: whole in itself."""
    kept = links[: at - 1]
    for one in links[at - 1 :]:
        new = replace(one.entry, **changed) if one.entry.seq == at else one.entry
        kept.append(link(kept[-1].hash if kept else ZERO, new))
    return kept


def exchanged(links: list[Link], at: int) -> list[Link]:
    """Record `at` changed together with its own hash, and nothing else."""
    new = link(links[at - 1].previous, replace(links[at - 1].entry, subject="case:0"))
    return [*links[: at - 1], new, *links[at:]]


def test_whole_chains_are_whole_and_the_report_says_what_it_cannot_see() -> None:
    report = check(*A, *B, signed=signed(HEADS))
    assert report.whole
    assert (report.records, report.chains, report.unsigned) == (9, 2, 0)
    assert [one.code for one in report.blind] == ["key_holder", "never_written"]


def test_without_signed_heads_it_says_so() -> None:
    report = check(*A, *B)
    assert report.whole
    assert "no_heads" in [one.code for one in report.blind]
    assert not report.compared


def test_records_after_the_last_signed_head_are_counted_as_not_covered() -> None:
    report = check(*A, *B, signed=signed(heads(A[:4])))
    assert report.whole
    assert report.unsigned == 2 + 3
    assert next(one for one in report.blind if one.code == "unsigned").values["count"] == 5


@given(st.integers(1, 6), st.sampled_from([field.name for field in fields(Entry)]))
def test_any_change_of_any_field_of_any_record_is_found(at: int, field: str) -> None:
    """Wherever it is, whatever it is, without looking at anything signed."""
    links = list(A)
    changed = replace(links[at - 1].entry, **{field: OTHERS[field]})
    links[at - 1] = replace(links[at - 1], entry=changed)
    report = check(*links, *B)
    assert not report.whole
    if field not in ("chain", "seq", "form"):  # with these it is a record of another place
        assert found(report) == [("changed", "org:a", at, at)]


@given(st.permutations(range(6)))
def test_any_reordering_is_found(order: list[int]) -> None:
    """Of the lines of an export, and of what is kept under the numbers of a chain."""
    as_lines = [A[index] for index in order]
    under_numbers = [replace(A[index], entry=replace(A[index].entry, seq=at + 1)) for at, index in enumerate(order)]
    for links in (as_lines, under_numbers):
        assert check(*links, *B).whole is (links == A)


@given(st.sets(st.integers(0, 5), max_size=6))
def test_any_records_taken_out_are_found_by_number(out: set[int]) -> None:
    """From anywhere, also all of them; the head that the database names tells of the tail."""
    report = check(*[one for index, one in enumerate(A) if index not in out], *B)
    named = {seq for one in report.findings for seq in range(one.first, one.last + 1)}
    assert named == {index + 1 for index in out}
    assert {one.code for one in report.findings} <= {"missing", "cut"}


BREAKS: list[tuple[str, Callable[[], list[Link]], dict[str, Head], list[tuple[str, str, int, int]]]] = [
    ("a hash changed", lambda: [*A[:2], replace(A[2], hash=bytes(32)), *A[3:]], HEADS,
     [("changed", "org:a", 3, 3), ("replaced", "org:a", 3, 4), ("rewritten", "org:a", 3, 2)]),
    ("a predecessor changed", lambda: [*A[:2], replace(A[2], previous=bytes(32)), *A[3:]], HEADS,
     [("changed", "org:a", 3, 3)]),
    ("a record exchanged with its hash", lambda: exchanged(A, 3), HEADS,
     [("rewritten", "org:a", 3, 2), ("replaced", "org:a", 3, 4)]),
    ("the tail cut, the head mended", lambda: A[:4], heads(A[:4], B), [("cut", "org:a", 5, 6)]),
    ("the chain rewritten, the head too", lambda: rewritten(A, 3, subject="case:0"),
     heads(rewritten(A, 3, subject="case:0"), B), [("rewritten", "org:a", 3, 2)]),
    ("rewritten and grown on", lambda: rewritten(chain("org:a", 8), 5, after=None),
     heads(rewritten(chain("org:a", 8), 5, after=None), B), [("rewritten", "org:a", 6, 3)]),
    ("all of it gone, the head too", list, heads(B), [("cut", "org:a", 1, 6)]),
    ("only its head gone", lambda: A, heads(B), [("head", "org:a", 6, 0)]),
    ("its head another", lambda: A, HEADS | {"org:a": Head(6, bytes(32))}, [("head", "org:a", 6, 6)]),
    ("its head of an earlier record", lambda: A, HEADS | {"org:a": Head(4, A[4].hash)}, [("head", "org:a", 4, 4)]),
    ("a record twice", lambda: [*A[:3], A[2], *A[3:]], HEADS, [("twice", "org:a", 3, 3)]),
    ("a record of a later form", lambda: [*A[:5], link(A[4].hash, entry("org:a", 6, form=2))], HEADS,
     [("form", "org:a", 6, 6), ("head", "org:a", 6, 6), ("rewritten", "org:a", 6, 3)]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "links", "named", "wanted"), BREAKS, ids=[one[0] for one in BREAKS])
def test_what_was_done_to_a_chain_is_named(
    what: str, links: Callable[[], list[Link]], named: dict[str, Head], wanted: list[tuple[str, str, int, int]]
) -> None:
    """Heads were signed at records 2, 3 and 6."""
    told = signed(heads(A[:2], B), heads(A[:3], B), HEADS)
    report = check(*links(), *B, heads=named, signed=told)
    assert sorted(found(report)) == sorted(wanted)
    assert all(one.says for one in report.findings)


def test_a_change_after_the_last_signature_that_mends_everything_is_not_seen() -> None:
    """The limit, as it is told: the report counts those records as not covered."""
    mended = rewritten(A, 5, after=None)
    report = check(*mended, *B, heads=heads(mended, B), signed=signed(heads(A[:4], B)))
    assert report.whole
    assert report.unsigned == 2


def test_a_missing_month_is_named_where_its_partition_is_gone() -> None:
    """Records 1 and 2 are of September, the rest of October; the database has only one of the two months."""
    assert [one.entry.recorded_at.month for one in A[:3]] == [9, 9, 10]
    first = check(*A[2:], *B, signed=signed(HEADS), months={"2026-10"})
    assert found(first) == [("missing", "org:a", 1, 2)]
    assert first.findings[0].values["months"] == ["2026-09"]
    assert "the partition of 2026-09 is gone" in first.findings[0].says
    kept = check(*A[2:], *B, signed=signed(HEADS), months={"2026-09", "2026-10"})
    assert "months" not in kept.findings[0].values


def run(links: list[Link], first: int, last: int) -> Run:
    one = links[first - 1]
    return Run(one.entry.chain, first, last, one.previous, links[last - 1].hash)


def test_sealed_records_are_crossed_and_what_goes_on_after_them_is_followed() -> None:
    told = signed(HEADS, bodies=[seal_body("2026-09", {"org:a": [run(A, 1, 2)]})])
    report = check(*A[2:], *B, signed=told)
    assert report.whole
    assert report.sealed == 2
    assert "sealed" in [one.code for one in report.blind]
    broken = rewritten(A, 2, after=None)
    assert found(check(*broken[2:], *B, signed=told))[0] == ("replaced", "org:a", 2, 3)


def test_a_chain_of_which_all_is_sealed_is_whole() -> None:
    told = signed(HEADS, bodies=[seal_body("2026-10", {"org:a": [run(A, 1, 6)]})])
    assert check(*B, signed=told).whole


def test_only_what_is_sealed_may_be_missing() -> None:
    told = signed(HEADS, bodies=[seal_body("2026-09", {"org:a": [run(A, 2, 3)]})])
    assert found(check(*A[4:], *B, signed=told)) == [("missing", "org:a", 1, 1), ("missing", "org:a", 4, 4)]


def test_a_seal_that_nobody_signed_counts_only_where_nothing_signed_is_at_hand() -> None:
    sealed = {"org:a": [run(A, 1, 2)]}
    assert found(check(*A[2:], *B, signed=signed(HEADS), sealed=sealed)) == [("missing", "org:a", 1, 2)]
    alone = check(*A[2:], *B, sealed=sealed)
    assert alone.whole
    assert "sealed_by_record" in [one.code for one in alone.blind]


def test_signed_heads_of_which_the_first_lines_are_gone_are_a_finding() -> None:
    told = read_lines([("heads", line) for line in signed_lines(heads(A[:2]), HEADS)[1:]], verify)
    assert found(check(*A, *B, signed=told)) == [("lines_gone", "", 1, 1)]


def test_runs_are_joined_where_they_touch() -> None:
    assert joined([run(A, 3, 4), run(A, 1, 2), run(A, 6, 6)]) == [run(A, 1, 4), run(A, 6, 6)]
    assert joined([run(A, 1, 4), run(A, 1, 2)]) == [run(A, 1, 4)]


def test_records_that_come_while_it_reads_are_no_finding() -> None:
    more = chain("org:a", 8)
    new = chain("org:new", 1)
    assert check(*more, *B, *new, heads=HEADS, signed=signed(HEADS)).whole


def test_a_chain_of_which_everything_is_wrong_does_not_fill_the_memory() -> None:
    wrong = [replace(one, entry=replace(one.entry, actor="x")) for one in chain("org:a", MOST_FINDINGS + 5)]
    report = check(*wrong, heads={})
    assert len(report.findings) == MOST_FINDINGS
    assert report.left_out == 5


def test_the_report_is_json() -> None:
    report = check(*A[1:], *B, signed=signed(HEADS)).as_dict()
    assert report["findings"][0]["code"] == "missing"
    assert report["last_signed_at"] == "2026-09-29T00:00:00.000000Z"
    assert START + timedelta(hours=1) == signed(HEADS).last_at
