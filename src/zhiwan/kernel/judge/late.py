"""One series, one reading at a time: the meaning of rules in plain Python.

This is the law that the column path in stream.py is held to (tests/kernel/judge). The worker itself comes here for the
few series that have a late reading in the batch, because a late reading changes what was said before it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from zhiwan.kernel.judge.columns import over_window
from zhiwan.kernel.judge.engines.reference import evaluate_reference, evaluate_truth
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.machine import Fact, Reading, Row
from zhiwan.kernel.judge.rulebook import CompiledRule
from zhiwan.kernel.judge.tracking import Tracked, advance, correct
from zhiwan.kernel.judge.world import LIVE, World, microseconds, moment


class History:
    """The remembered readings of one series by event time; the last arrival for an instant holds."""

    def __init__(self, horizon: int, arrivals: Iterable[tuple[int, float]] = ()) -> None:
        self.horizon = horizon
        self.times: list[int] = []
        self.values: dict[int, float] = {}
        for at, value in arrivals:
            self.add(at, value)

    @property
    def head(self) -> int | None:
        return self.times[-1] if self.times else None

    def add(self, at: int, value: float) -> None:
        """One more arrival. What is older than the horizon before the newest is forgotten, or not taken up."""
        if self.times:
            oldest = self.times[-1] - self.horizon
            if at < oldest:
                return
            forgotten = bisect.bisect_left(self.times, oldest)
            for gone in self.times[:forgotten]:
                del self.values[gone]
            del self.times[:forgotten]
        if at not in self.values:
            bisect.insort(self.times, at)
        self.values[at] = value

    def before(self, at: int) -> int | None:
        """The instant before, if one is remembered."""
        place = bisect.bisect_left(self.times, at)
        return self.times[place - 1] if place else None

    def since(self, at: int) -> list[int]:
        return self.times[bisect.bisect_left(self.times, at) :]

    def window(self, at: int, seconds: int) -> list[float]:
        """Values later than `seconds` before, up to and with `at`."""
        first = bisect.bisect_right(self.times, at - seconds * 1_000_000)
        return [self.values[one] for one in self.times[first : bisect.bisect_right(self.times, at)]]


def row_of(world: World, leaves: Iterable[n.Leaf], history: History, at: int, beside: Mapping[str, Any]) -> Row:
    """Everything an expression may name, for the remembered reading at an instant.

    `beside` holds what the series does not know: fields of the entity and latest(…).
    """
    row: Row = {"value": history.values[at], "observed_at": moment(at)}
    for leaf in leaves:
        match leaf:
            case n.Name():
                if leaf.key not in row:
                    row[leaf.key] = beside.get(leaf.key)
            case n.Parameter(id):
                interval = world.in_force(id, at)
                row[leaf.key] = None if interval is None else interval.in_force.value
            case n.Previous():
                before = history.before(at)
                row[leaf.key] = None if before is None else history.values[before]
            case n.Window(function, seconds):
                row[leaf.key] = over_window(function, history.window(at, seconds))
            case n.Latest():
                row[leaf.key] = beside.get(leaf.key)
    if "name_en" in beside:
        row["name_en"] = beside["name_en"]
    return row


def reading_of(rule: CompiledRule, row: Row) -> Reading:
    """What the rule says of a row."""
    when = evaluate_truth(rule.when, row)
    clear = None if when is True else evaluate_truth(rule.clear, row)
    level = evaluate_reference(rule.level, row) if when is True else None
    return Reading(row["observed_at"], when, clear, level if isinstance(level, str) else None, row)


def arrive(
    world: World, rule: CompiledRule, tracked: Tracked, history: History, at: int, beside: Mapping[str, Any],
    head: int | None,
) -> tuple[list[Fact], bool]:  # fmt: skip
    """Judges the reading at `at`, which `history` holds already; `head` is the newest instant before it arrived.

    Gives the facts and whether they come from a late reading.
    """

    def reading(instant: int) -> Reading:
        return reading_of(rule, row_of(world, rule.leaves, history, instant, beside))

    before = history.before(at)
    previous = None if before is None else moment(before)
    if head is None or at > head:
        return advance(rule.timing, tracked, reading(at), previous, rule.rule.lateness), False
    if at < head - rule.rule.lateness // timedelta(microseconds=1) or at not in history.values:
        return [], True
    if world.space == LIVE and rule.since is not None and at < microseconds(rule.since):
        # What was said under the former text stands: a late reading must not withdraw it by a limit that came later.
        return [], True
    tracked.prune(moment(head) - rule.rule.lateness)
    return correct(rule.timing, tracked, [reading(one) for one in history.since(at)], previous), True
