"""Parameters obey the day of the event, in the legal time of the region."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.packs.models import InForce, Pack, PackManifest, Parameter, Text
from zhiwan.kernel.packs.parameters import ParameterBook, ParameterNotInForce, ParameterUnknown, TimeWithoutZone

WORDS = Text(zh="词", en="words")
OLD, NEW = date(2012, 2, 29), date(2026, 3, 1)


def pack(*entries: InForce, region: str = "CN", id: str = "life.air") -> Pack:
    manifest = PackManifest(id=id, version="1.0.0", title=WORDS, summary=WORDS, owner=WORDS, mission=[], abilities=[])
    limit = Parameter(id="limit", title=WORDS, unit="m", region=region, in_force=list(entries))
    return Pack(manifest=manifest, parameters=[limit])


def entry(start: date, value: float, end: date | None = None) -> InForce:
    return InForce(**{"from": start, "to": end, "value": value, "source": "an order"})


BOOK = ParameterBook([pack(entry(OLD, 1), entry(NEW, 2))])


def test_a_new_law_begins_at_local_midnight() -> None:
    last = datetime(2026, 2, 28, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Beijing
    assert BOOK.at("life.air.limit", last).value == 1
    assert BOOK.at("life.air.limit", last + timedelta(seconds=1)).value == 2
    assert BOOK.at("life.air.limit", NEW).value == 2


def test_before_the_first_law_there_is_no_value() -> None:
    with pytest.raises(ParameterNotInForce) as refused:
        BOOK.at("life.air.limit", date(2012, 2, 28))
    assert "2012-02-29" in str(refused.value)


def test_an_ended_law_holds_no_longer() -> None:
    book = ParameterBook([pack(entry(OLD, 1, end=date(2020, 1, 1)), entry(NEW, 2))])
    assert book.at("life.air.limit", date(2019, 12, 31)).value == 1
    with pytest.raises(ParameterNotInForce):
        book.at("life.air.limit", date(2020, 1, 1))


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(TimeWithoutZone):
        BOOK.at("life.air.limit", datetime(2026, 3, 1))  # noqa: DTZ001


def test_names_are_local_first_and_unknown_ones_are_told() -> None:
    book = ParameterBook([pack(entry(OLD, 1)), pack(entry(OLD, 7), id="base.air2")])
    assert book.resolve("life.air", "limit") == "life.air.limit"
    assert book.resolve("life.air", "air2.limit") == "base.air2.limit"
    assert book.of("life.air")("limit", NEW).value == 1
    with pytest.raises(ParameterUnknown):
        book.resolve("life.air", "limits")
    with pytest.raises(ParameterUnknown):
        book.history("life.air.limits")


def test_a_parameter_of_another_region_does_not_hold_here() -> None:
    book = ParameterBook([pack(entry(OLD, 1), region="31")])
    assert book.at("life.air.limit", NEW, region="310101").value == 1
    with pytest.raises(ParameterNotInForce):
        book.at("life.air.limit", NEW, region="320101")


_DAYS = st.lists(st.dates(date(2000, 1, 1), date(2030, 1, 1)), min_size=1, max_size=6, unique=True).map(sorted)


@given(_DAYS, st.integers(0, 31 * 365 * 1440))
def test_intervals_and_lookups_agree_at_every_moment(days: list[date], minutes: int) -> None:
    book = ParameterBook([pack(*(entry(day, number) for number, day in enumerate(days)))])
    at = datetime(1999, 12, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    found = [
        one.in_force.value
        for one in book.intervals("life.air.limit")
        if one.start <= at and (not one.end or at < one.end)
    ]
    try:
        assert found == [book.at("life.air.limit", at).value]
    except ParameterNotInForce:
        assert found == []
