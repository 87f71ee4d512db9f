"""What a gauge sends, by construction: the value of its n-th reading follows from n alone, and so does every alarm.

A round is 60 readings: the level rises from 1 m over the warning (3 m) to a peak above 5 m and falls again; it stays
above the warning for more than the two seconds that `deep_for_long` asks for. Once a round the battery reads low for
one reading, far shorter than `flash` asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: Seconds between two readings of a gauge. The time inside a reading is the intended one, so jitter changes nothing.
EVERY = 0.3
ROUND = 60
LOW, PEAK, WARNING = 1.0, 5.6, 3.0
CLEAR, VERY_HIGH = WARNING - 0.5, WARNING + 2
BED = 5.0  # what the pack's derive step adds: depth = level + BED
DEEP, LASTING_MS = 8.0, 2000
RULES = ("base.trial.high", "base.trial.deep_for_long")
#: Rules that must never open while gauges are heard: a tick ahead of what was read would open them.
NEVER = ("base.trial.flash", "base.trial.silent")
TYPE = "TrialGauge"


@dataclass(frozen=True, slots=True)
class Reading:
    """The n-th reading of a gauge; `at` in milliseconds."""

    n: int
    at: int
    level: float
    battery: float


def reading(gauge: int, n: int, at: int) -> Reading:
    """The n-th reading of a gauge. Gauges are at different places of their round."""
    place = (n + gauge * 7) % ROUND
    share = place / 30 if place < 30 else (ROUND - place) / 30
    level = round(LOW + (PEAK - LOW) * share + (n % 997) / 100_000, 5)
    battery = 10.5 if place == 45 else round(12 + (n % 89) / 100, 2)
    return Reading(n, at, level, battery)


@dataclass(frozen=True, slots=True, order=True)
class ExpectedAlarm:
    """One alarm that must be there, once; times in milliseconds, `cleared` None while it lasts."""

    gauge: str
    rule: str
    opened: int
    cleared: int | None
    raised: int | None  # when it became very high


def alarms(gauge: str, readings: Iterable[Reading]) -> list[ExpectedAlarm]:
    """What the pack's rules say of the readings of one gauge in order: a plain second telling of them."""
    told = list(readings)
    return sorted([*_high(gauge, told), *_deep(gauge, told)], key=lambda one: (one.rule, one.opened))


def _high(gauge: str, readings: list[Reading]) -> Iterator[ExpectedAlarm]:
    opened = raised = None
    for one in readings:
        if opened is None:
            if one.level >= WARNING:
                opened, raised = one.at, one.at if one.level >= VERY_HIGH else None
        elif one.level < CLEAR:
            yield ExpectedAlarm(gauge, RULES[0], opened, one.at, raised)
            opened = raised = None
        elif one.level >= VERY_HIGH and raised is None:
            raised = one.at
    if opened is not None:
        yield ExpectedAlarm(gauge, RULES[0], opened, None, raised)


def _deep(gauge: str, readings: list[Reading]) -> Iterator[ExpectedAlarm]:
    """Opens when the condition has lasted, between readings too; clears with the first reading it does not hold for."""
    since = None
    for one in readings:
        holds = one.level + BED >= DEEP
        if since is None:
            since = one.at if holds else None
        elif not holds:
            if one.at > since + LASTING_MS:
                yield ExpectedAlarm(gauge, RULES[1], since + LASTING_MS, one.at, None)
            since = None
    if since is not None:  # nothing more comes: time alone opens it
        yield ExpectedAlarm(gauge, RULES[1], since + LASTING_MS, None, None)
