"""What the clock asks of the worker: when something is due, and the vital signs of all areas."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import polars as pl

from zhiwan.city.people.acting import acting_system
from zhiwan.city.watch import hints
from zhiwan.city.watch.models import LatestValue
from zhiwan.city.watch.pipeline import save_indicators
from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.judge import RuleBook, compute_indicators
from zhiwan.kernel.lake.port import LakePort
from zhiwan.run.worker.brain import Brain

LATEST: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "property": pl.String(),
    "observed_at": UTC_US,
    "value": pl.Float64(),
}


class Every:
    """Due once in so many seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._next = clock()

    def due(self) -> bool:
        """Whether it is time; the next time counts from now, so that nothing piles up after a pause."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def latest_values() -> pl.DataFrame:
    """The newest value of every property of every entity."""
    with acting_system("worker"):
        rows = list(LatestValue.objects.values_list("entity_id", "property", "observed_at", "value"))
    return pl.DataFrame(rows, schema=LATEST, orient="row")


class Cadences:
    """Which vital signs are due for their history, each at its declared cadence."""

    def __init__(self) -> None:
        self._next: dict[str, datetime] = {}

    def due(self, book: RuleBook, now: datetime) -> list[str]:
        """Global ids that are due; they are due again one cadence later."""
        found = [one for one in book.indicators if self._next.get(one.id, now) <= now]
        self._next |= {one.id: now + one.indicator.cadence for one in found}
        return [one.id for one in found]


def indicators(brain: Brain, lake: LakePort, now: datetime, cadences: Cadences) -> None:
    """Compute the vital signs, write the current ones, and keep those that are due in their history."""
    frame = compute_indicators(brain.book, brain.world, latest_values(), now)
    hints.announce(save_indicators(frame))
    due = cadences.due(brain.book, now)
    # Without a reading there is no moment the figure speaks of, hence nothing for the history.
    lake.append_indicators(frame.filter(pl.col("indicator").is_in(due) & pl.col("at").is_not_null()))
