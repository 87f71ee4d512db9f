"""What the things of a story report at a moment: lines through the declared points."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise

from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.stories import Story, StorySignal
from zhiwan.run.story.making import Thing

_DIFFERENCES = (0.0, -1.0, 0.6, -0.4, 1.0, -0.7, 0.3)  # of a thing from the first of its type, by its number


class Signals:
    """Readings of a story's things; the same story gives the same."""

    def __init__(self, story: Story, packs: PackSet) -> None:
        self._story = story
        self._packs = packs
        self._lines = {
            signal.of: [(story.moment(at), value) for at, value in signal.points.items()]
            for signal in story.signals
            if signal.points is not None
        }

    def values(self, thing: Thing, at: datetime) -> dict[str, float]:
        """One report."""
        own = [signal for signal in self._story.signals if signal.of.startswith(f"{thing.type}.")]
        return {signal.of.partition(".")[2]: self._value(signal, thing, at) for signal in own}

    def _value(self, signal: StorySignal, thing: Thing, at: datetime) -> float:
        name = signal.of.partition(".")[2]
        declared = self._packs.type(thing.type).properties[name]
        if signal.sum_of is not None:
            reports = int(signal.over / self._story.every)
            found = self._by_name(thing.type)[signal.sum_of]
            value = sum(self._value(found, thing, at - n * self._story.every) for n in range(reports))
        else:
            value = on_line(self._lines[signal.of], at)
            value += signal.differ * _DIFFERENCES[thing.number % len(_DIFFERENCES)]
            if signal.above is not None:
                value += float(thing.fields[signal.above])
            elif min(point for _, point in self._lines[signal.of]) >= 0:
                value = max(0.0, value)  # a line that never goes below zero is an amount
        return round(value, declared.decimals)

    def _by_name(self, type: str) -> Mapping[str, StorySignal]:
        own = (signal for signal in self._story.signals if signal.of.startswith(f"{type}."))
        return {signal.of.partition(".")[2]: signal for signal in own}


def on_line(points: list[tuple[datetime, float]], at: datetime) -> float:
    """The value at a moment; before the first point and after the last one theirs."""
    if at <= points[0][0]:
        return points[0][1]
    for (start, low), (end, high) in pairwise(points):
        if at <= end:
            return low + (high - low) * ((at - start) / (end - start))
    return points[-1][1]
