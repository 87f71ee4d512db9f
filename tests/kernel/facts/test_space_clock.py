"""A space's clock is a function of ours: it never jumps, and a later change of speed does not move what was before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from zhiwan.kernel.facts.spaces import SpaceClock, Span

REAL = datetime(2026, 7, 1, 8, tzinfo=UTC)
SHOWN = datetime(2024, 9, 18, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAST = SpaceClock((Span(REAL, SHOWN, 300.0),))


def test_without_spans_it_is_our_own() -> None:
    assert SpaceClock().at(REAL) == REAL


def test_it_stands_before_it_begins_and_then_runs_its_speed() -> None:
    assert FAST.at(REAL - MINUTE) == SHOWN
    assert FAST.at(REAL + MINUTE) == SHOWN + 300 * MINUTE


def test_another_speed_begins_without_a_jump_and_leaves_the_past_alone() -> None:
    slowed = FAST.then(REAL + MINUTE, 1.0)
    assert slowed.at(REAL + MINUTE) == FAST.at(REAL + MINUTE)
    assert slowed.at(REAL + MINUTE / 2) == FAST.at(REAL + MINUTE / 2)
    assert slowed.at(REAL + 3 * MINUTE) == SHOWN + 302 * MINUTE
    assert (slowed.speed_at(REAL), slowed.speed_at(REAL + MINUTE)) == (300.0, 1.0)


def test_it_survives_being_kept() -> None:
    slowed = FAST.then(REAL + MINUTE, 1.0)
    assert SpaceClock.from_json(slowed.as_json()) == slowed
