"""The bytes of a record and its link: one text for one content, another hash for any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from chains import START, chain, entry
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.guard import chain as subject
from zhiwan.kernel.guard.chain import (
    ZERO,
    Entry,
    NotARecord,
    Sm3Missing,
    canonical,
    digest,
    from_row,
    link,
    plain,
    plain_address,
    read_json,
    sm3,
    to_row,
)

TEXTS = st.text(max_size=12)
NUMBERS = st.integers(min_value=-(10**20), max_value=10**20) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
DETAILS = st.none() | st.dictionaries(TEXTS, JSON, max_size=3).map(plain)
TIMES = st.integers(0, 4_000_000_000_000_000).map(
    lambda n: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "chain": NAMES, "seq": st.integers(1, 2**40), "recorded_at": TIMES, "at": TIMES,
    "user": st.none() | st.integers(1, 2**40), "account": NAMES, "actor": NAMES, "post": st.none() | NAMES,
    "organisation": st.none() | NAMES, "action": NAMES, "subject": NAMES, "before": DETAILS, "after": DETAILS,
    "purpose": NAMES, "address": st.none() | st.ip_addresses().map(str), "space": NAMES, "form": st.integers(1, 9),
}  # fmt: skip
ENTRIES = st.builds(Entry, **VALUES)


@pytest.mark.parametrize(
    ("text", "hash"),  # the two examples of GB/T 32905-2016, annex A
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3_is_that_of_the_standard(text: bytes, hash: str) -> None:
    assert sm3(text).hex() == hash


@pytest.fixture
def without_sm3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Python whose OpenSSL lists SM3 and refuses it, as one bound to FIPS does."""
    real = hashlib.new

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "sm3":
            raise ValueError("unsupported hash type sm3")
        return real(name, *rest, **more)

    monkeypatch.setattr(hashlib, "new", refuse)
    subject._sm3.cache_clear()
    yield
    subject._sm3.cache_clear()


def test_without_sm3_in_hashlib_cryptography_computes_the_same(without_sm3: None) -> None:
    assert sm3(b"abc").hex().startswith("66c7f0f4")


def test_without_any_sm3_nothing_is_hashed_and_the_error_says_what_to_do(
    without_sm3: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(algorithm: object) -> None:
        raise UnsupportedAlgorithm("SM3")

    monkeypatch.setattr(hashes, "Hash", refuse)
    with pytest.raises(Sm3Missing) as told:
        sm3(b"abc")
    assert "OpenSSL 3" in told.value.as_dict()["hint"]


def test_the_bytes_of_a_record_are_these() -> None:
    """Written out once: whoever checks a chain with another program needs them, and they may never change."""
    one = entry("org:office", 1, recorded_at=datetime(2026, 9, 30, 7, 0, 0, 5, tzinfo=timezone(timedelta(hours=8))))
    assert canonical(one).decode() == (
        '{"account":"li","action":"cases.close","actor":"李","address":"10.0.0.7",'
        '"after":{"n":0.5,"s":[1,null],"state":"closed"},"at":"2026-09-29T23:00:00.000000Z",'
        '"before":{"state":"taken"},"chain":"org:office","form":1,"organisation":"office","post":"desk","purpose":"",'
        '"recorded_at":"2026-09-29T23:00:00.000005Z","seq":1,"space":"live","subject":"case:1","user":7}'
    )
    assert digest(ZERO, one) == sm3(b"zhiwan-audit-1\0" + ZERO + canonical(one))


@given(ENTRIES, st.data())
def test_any_other_value_of_any_field_gives_another_hash(one: Entry, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from([field.name for field in fields(Entry)]))
    other = data.draw(VALUES[field])
    changed = replace(one, **{field: other})
    same = canonical(changed) == canonical(one)
    assert same == (json.dumps(getattr(one, field), default=str, sort_keys=True)
                    == json.dumps(other, default=str, sort_keys=True))  # fmt: skip
    assert (digest(ZERO, changed) == digest(ZERO, one)) is same


@given(ENTRIES, st.binary(min_size=32, max_size=32))
def test_another_predecessor_gives_another_hash(one: Entry, previous: bytes) -> None:
    assert (digest(previous, one) == digest(ZERO, one)) is (previous == ZERO)


@given(JSON)
def test_plain_values_survive_their_way_through_json(value: Any) -> None:
    once = plain(value)
    assert plain(once) == once
    text = json.dumps(once)
    assert json.dumps(read_json(text)) == text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1.0, 1), (-0.0, 0), (1e22, 10**22), (float("nan"), "nan"), (float("inf"), "inf"), ((1, 2), [1, 2]),
        ({2, 1}, [1, 2]), ({1: "a"}, {"1": "a"}), ("a\0b", "a\ufffdb"), ("\ud800", "\ufffd"),
        (datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))), "2026-01-01T00:00:00.000000Z"), (b"x", "b'x'"),
    ],
)  # fmt: skip
def test_what_jsonb_would_not_give_back_is_kept_as_something_it_does(given: Any, kept: Any) -> None:
    assert plain(given) == kept
    assert type(plain(given)) is type(kept)


@pytest.mark.parametrize(("text", "same"), [("0.1", True), ("0.10", False), ("1.0", False), ("1e-07", True),
                                            ("0.0000001", True), ("0.1000000000000000055", False)])  # fmt: skip
def test_other_digits_of_the_same_number_are_another_text(text: str, same: bool) -> None:
    value = read_json(text)
    assert isinstance(value, float) is same


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("", None),
        (None, None),
        ("unix:", None),
    ],
)
def test_addresses_have_one_text(given: str | None, kept: str | None) -> None:
    assert plain_address(given) == kept


@given(ENTRIES)
def test_a_record_comes_back_from_an_export(one: Entry) -> None:
    made = link(ZERO, one)
    text = json.dumps(to_row(made), ensure_ascii=False)
    read = from_row(read_json(text), file="x", line=1)
    assert read == made
    assert read.holds


BROKEN: list[Mapping[str, Any] | list[Any]] = [
    [], {}, {"seq": "one"}, {"recorded_at": "yesterday"}, {"hash": "xyz"}, {"more": 1}, {"at": None},
]  # fmt: skip


@pytest.mark.parametrize("change", BROKEN)
def test_a_line_that_is_no_record_is_refused_with_its_number(change: Any) -> None:
    row = to_row(chain("c", 1)[0])
    with pytest.raises(NotARecord, match="line 3 of f"):
        from_row(row | change if isinstance(change, dict) and change else change, file="f", line=3)


def test_times_of_any_zone_are_one_time() -> None:
    there = START.astimezone(timezone(timedelta(hours=-5)))
    assert canonical(entry("c", 1, at=START)) == canonical(entry("c", 1, at=there))
