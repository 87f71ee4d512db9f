"""Instants from outside are exact or refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.facts.times import TimeRefused, parse_instant, print_instant


@pytest.mark.parametrize(
    ("given_text", "instant"),
    [
        ("2026-07-01T06:00:00+08:00", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-07-01t06:00:00z", datetime(2026, 7, 1, 6, tzinfo=UTC)),
        ("2026-07-01T06:00:00.1234567-00:30", datetime(2026, 7, 1, 6, 30, 0, 123456, tzinfo=UTC)),
        (1_782_885_600_000, datetime(2026, 7, 1, 6, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_text_and_milliseconds_are_read(given_text: object, instant: datetime) -> None:
    assert parse_instant(given_text) == instant


@pytest.mark.parametrize(
    "wrong",
    ["2026-07-01", "2026-07-01T06:00:00", "2026-07-01 06:00:00Z", "2026-02-30T06:00:00Z", "2026-07-01T24:00:00Z",
     "2026-07-01T06:00:60Z", "2026-07-01T06:00:00+24:00", "0001-01-01T00:00:00+08:00", "２０２６-07-01T06:00:00Z", "",
     "2026-07-01T06:00:00Z\n", True, None, [], -1, float("nan"), float("inf"), 1e20],
)  # fmt: skip
def test_everything_else_is_refused(wrong: object) -> None:
    with pytest.raises(TimeRefused):
        parse_instant(wrong)


_ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.integers(0, 8_000 * 365 * 86_400_000_000), _ZONES)
def test_what_is_printed_is_read_back(micros: int, zone: timezone) -> None:
    instant = (datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).astimezone(zone)
    assert parse_instant(print_instant(instant)) == instant
    assert parse_instant(instant.isoformat(timespec="microseconds")) == instant
