"""The clock of a space (推演, 测试): its time is a pure function of ours, so that a stream read again gives the same.

A clock is a row of spans. Each begins at one of our moments, says what the space's clock shows then, and how many times
as fast it runs from there on; a story that waits for a person runs at the speed of our own clock meanwhile. A new span
begins a little in the future: whoever reads messages learns of it before the first message that it dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

#: How far ahead of its writing a new span begins; more than a reader's longest pause between two looks at the clock.
AHEAD = timedelta(seconds=1.5)


@dataclass(frozen=True)
class Span:
    """From `real` on the clock runs `speed` times as fast as ours, beginning with `shown`."""

    real: datetime
    shown: datetime
    speed: float

    def at(self, real: datetime) -> datetime:
        return self.shown + (real - self.real) * self.speed


@dataclass(frozen=True)
class SpaceClock:
    """Spans in order. Without any it is our own clock."""

    spans: tuple[Span, ...] = ()

    def at(self, real: datetime) -> datetime:
        """What the space's clock shows at a moment of ours. Before its first span it stands."""
        if not self.spans:
            return real
        span = next((one for one in reversed(self.spans) if one.real <= real), None)
        return span.at(real) if span is not None else self.spans[0].shown

    def speed_at(self, real: datetime) -> float:
        """How many times as fast as ours it runs at that moment."""
        return next((one.speed for one in reversed(self.spans) if one.real <= real), 1.0)

    def then(self, real: datetime, speed: float) -> SpaceClock:
        """The clock with another speed from `real` on, without a jump."""
        kept = tuple(one for one in self.spans if one.real < real)
        return SpaceClock((*kept, Span(real, SpaceClock(kept).at(real), speed)))

    def as_json(self) -> list[list[Any]]:
        """For a column of the database."""
        return [[one.real.isoformat(), one.shown.isoformat(), one.speed] for one in self.spans]

    @staticmethod
    def from_json(rows: Sequence[Sequence[Any]]) -> SpaceClock:
        """The clock of `as_json`."""
        parse = datetime.fromisoformat
        return SpaceClock(tuple(Span(parse(real), parse(shown), float(speed)) for real, shown, speed in rows))
