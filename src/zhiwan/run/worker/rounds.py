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
from zhiwan.kernel.judge import compute_indicators
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


def indicators(brain: Brain, lake: LakePort, now: datetime, *, keep: bool) -> int:
    """Compute the vital signs, write the current ones, and `keep` them in their history; the number of figures."""
    frame = compute_indicators(brain.book, brain.world, latest_values(), now)
    hints.announce(save_indicators(frame))
    if keep and frame.height:
        lake.append_indicators(frame)
    return frame.height
