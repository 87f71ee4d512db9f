"""What judging knows of the world beside the stream: entities, links, parameters in force, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from zhiwan.kernel.packs.parameters import Interval, ParameterBook

Instants = npt.NDArray[np.int64]  # microseconds since 1970, UTC
Numbers = npt.NDArray[np.float64]  # NaN is missing, inside numpy only

#: Columns every entity frame has, whatever its type; the rest are the type's fields.
ENTITY_COLUMNS = ("id", "name", "town", "area", "lon", "lat")
#: The space whose clock is ours; a story's event times say nothing of when a person changed a rule.
LIVE = "live"
LINK_SCHEMA = {"from_id": pl.String(), "link": pl.String(), "to_id": pl.String()}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(eq=False)
class World:
    """Entities by type (frames with ENTITY_COLUMNS and fields), links between them, parameters of a region.

    A changed registry is a new World; what is remembered of the stream lives in JudgeState and survives it.
    """

    entities: Mapping[str, pl.DataFrame]
    parameters: ParameterBook
    links: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=LINK_SCHEMA))
    region: str = "CN"
    space: str = LIVE

    def __post_init__(self) -> None:
        self._intervals: dict[str, tuple[Interval, ...]] = {}

    def intervals(self, id: str) -> tuple[Interval, ...]:
        """The dated values of a parameter (global id) that hold in this region."""
        if id not in self._intervals:
            self._intervals[id] = self.parameters.intervals(id, self.region)
        return self._intervals[id]

    def parameter_values(self, id: str, at: Instants) -> Numbers:
        """The scalar in force at each instant; NaN where none is."""
        values = np.full(len(at), np.nan)
        for interval in self.intervals(id):
            if interval.in_force.value is not None:
                inside = at >= microseconds(interval.start)
                if interval.end is not None:
                    inside &= at < microseconds(interval.end)
                values[inside] = interval.in_force.value
        return values

    def in_force(self, id: str, at: int) -> Interval | None:
        """The interval of a parameter that holds at an instant."""
        for interval in self.intervals(id):
            if microseconds(interval.start) <= at and (interval.end is None or at < microseconds(interval.end)):
                return interval
        return None


def microseconds(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(at: int) -> datetime:
    """Microseconds since 1970 as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at)
