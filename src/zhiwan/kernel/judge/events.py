"""What judging says: alarm events, and the judgement of a batch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import polars as pl

from zhiwan.kernel.facts.observations import empty_observations

#: opened · raised and lowered (level) · quiet (a latched alarm's condition is over, a person must release it) ·
#: active (a quiet one is on again) · cleared · corrected (late data changed what was said; see `state`).
EventKind = Literal["opened", "raised", "lowered", "quiet", "active", "cleared", "corrected"]
#: The alarm after the event. Withdrawn: late data shows that it never was.
AlarmState = Literal["open", "quiet", "cleared", "withdrawn"]


@dataclass(frozen=True, kw_only=True)
class AlarmEvent:
    """One step in the life of one alarm. Applying `state`, `level`, `opened_at`, `cleared_at` gives the alarm as it is.

    Ids are deterministic: judging the same stream again gives the same ids.
    """

    id: str
    alarm_id: str
    kind: EventKind
    rule: str
    rule_version: str
    entity: str
    property: str
    at: datetime  # event time
    recorded_at: datetime  # when the platform knew
    level: str
    rank: int
    tone: str
    message_zh: str
    message_en: str
    value: float | None
    late: bool  # told by late data
    state: AlarmState
    opened_at: datetime
    cleared_at: datetime | None
    peak_rank: int
    joins: str | None = None  # alarm of the same rule, town and span (`near`) whose notice this one shares
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """A derive step whose function failed on a batch: its readings are missing, all else was judged."""

    what: str
    error: str


@dataclass(frozen=True)
class Judgement:
    """Derived readings (in the schema of observations) and alarm events, both in the order of the stream."""

    derived: pl.DataFrame = field(default_factory=empty_observations)
    events: list[AlarmEvent] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def alarm_id(space: str, rule: str, entity: str, cause: str, opened_at: datetime) -> str:
    """The id of the alarm that a rule opens at a place at a moment: the same whenever it is judged again."""
    text = "|".join((space, rule, entity, cause, opened_at.isoformat()))
    return hashlib.sha256(text.encode()).hexdigest()[:24]
