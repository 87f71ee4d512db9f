"""复核: an alarm judged again from the lake's rows by other engines than the stream's, beside what was told.

    recheck_alarm(alarm_id, at=None) -> Recheck

The stream judged with Polars; here DuckDB and the plain reference judge. They see what is known *now*: a correction
that came later may give another result, and then this says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from zhiwan.city.packs_loaded import book, lake, packs, region
from zhiwan.city.registry import clock
from zhiwan.city.registry.fields import value_to_judge
from zhiwan.city.registry.models import Entity, Relation
from zhiwan.city.watch.actions.alarms import AlarmUnknown
from zhiwan.city.watch.models import Alarm, AlarmState
from zhiwan.city.watch.queries.words import LevelWords, level_words, pack_of, rule_or_none, scale_of
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.judge import recompute
from zhiwan.kernel.judge.expressions.nodes import Latest
from zhiwan.kernel.judge.rulebook import CompiledRule
from zhiwan.kernel.packs.models import Scale, Text

ENGINES = {"duckdb": Text(zh="DuckDB 引擎", en="DuckDB"), "reference": Text(zh="参照引擎", en="reference engine")}
TOLD = Text(zh="当时的判断", en="as judged then")
ROWS = Text(zh="逐条核对读数间隔", en="gaps between the rows")
#: How much before the alarm is read, beside what the rule looks back on.
BEFORE = timedelta(hours=6)
AFTER = timedelta(hours=1)
#: A reading's instants are kept to the microsecond; the sentence is about the same moment.
SAME = timedelta(milliseconds=1)


class RuleGone(InputRefused):
    """The rule of the alarm is not loaded any more, or of another version."""

    code = "WATCH-040"
    fact = "the rule {rule} is not loaded"
    hint = "Load the pack in the version that judged, and ask again."


@dataclass(frozen=True)
class RecheckRow:
    """What one way of judging makes of it. No `opened_at`: it finds no alarm there."""

    title: Text
    opened_at: datetime | None
    cleared_at: datetime | None
    level: LevelWords | None  # the highest it reached
    rows: int | None  # readings judged


@dataclass(frozen=True)
class Recheck:
    """`agree`: every engine finds the alarm as it was told."""

    agree: bool
    results: list[RecheckRow]


def recheck_alarm(*, alarm_id: str, at: datetime | None = None) -> Recheck:
    """Judge again. Reads only: who sees the alarm may ask. Raises AlarmUnknown, RuleGone."""
    now = at or clock.now()
    alarm = Alarm.objects.select_related("entity").filter(id=alarm_id).first()
    if alarm is None:
        raise AlarmUnknown(alarm=alarm_id)
    declared = rule_or_none(alarm.rule)
    if declared is None:
        raise RuleGone(rule=alarm.rule)
    rule = book().rule(alarm.rule)
    scale = scale_of(pack_of(alarm.rule), declared.scale)
    told = RecheckRow(TOLD, alarm.opened_at, alarm.cleared_at, _peak(scale, alarm.peak_rank), None)
    found = [] if rule.never else [_by_engine(engine, rule, alarm, scale, now) for engine in ENGINES]
    if declared.absent is not None and not any(one.opened_at for one in found):
        found = [_by_gaps(declared.absent, rule, alarm, now, told.level)]
    return Recheck(agree=all(_same(told, one, alarm) for one in found), results=[told, *found])


def _by_engine(engine: Any, rule: CompiledRule, alarm: Alarm, scale: Scale | None, now: datetime) -> RecheckRow:
    start, end = _span(rule, alarm, now)
    kept = _streamed(alarm.entity_id, alarm.property, start, end)
    result = recompute(
        book(), alarm.rule, entity_as_judged(alarm.entity), kept, engine=engine, parameters=packs().parameters,
        region=region(), at=alarm.opened_at, until=end, linked=_linked(rule, alarm.entity, start, end),
    )  # fmt: skip
    ranks = {level.id: level.rank for level in scale.levels} if scale else {}
    peak = max((ranks.get(level, 0) for _, level in result.levels), default=None)
    return RecheckRow(
        ENGINES[engine],
        result.opened_at,
        result.cleared_at,
        None if peak is None else _peak(scale, peak),
        result.rows,
    )


def _by_gaps(
    absent: timedelta, rule: CompiledRule, alarm: Alarm, now: datetime, level: LevelWords | None
) -> RecheckRow:
    """An alarm about silence: the last reading before it, and the first one after."""
    start, end = _span(rule, alarm, now)
    kept = _streamed(alarm.entity_id, alarm.property, start - absent, end)
    times = kept["observed_at"].unique().sort().to_list()
    before = [time for time in times if time <= alarm.opened_at]
    after = [time for time in times if time > alarm.opened_at]
    opened_at = before[-1] + absent if before and (not after or after[0] - before[-1] >= absent) else None
    cleared_at = after[0] if after and opened_at else None
    return RecheckRow(ROWS, opened_at, cleared_at, level if opened_at else None, len(times))


def _streamed(entity: str, property: str, start: datetime, end: datetime) -> pl.DataFrame:
    """Rows that came by the stream. Imported history (seq 0) was never judged, so it must not move an alarm."""
    return lake().rows(entity, property, start, end).filter(pl.col("seq") > 0)


def _span(rule: CompiledRule, alarm: Alarm, now: datetime) -> tuple[datetime, datetime]:
    look_back = rule.window + rule.rule.lasting + rule.rule.lateness
    return alarm.opened_at - BEFORE - look_back, min(now, (alarm.cleared_at or now) + AFTER)


def _same(told: RecheckRow, found: RecheckRow, alarm: Alarm) -> bool:
    """The same moment and the same worst level. A latched alarm is over when a person releases it, for no engine."""
    if alarm.state == AlarmState.WITHDRAWN:
        return found.opened_at is None
    ends = alarm.state == AlarmState.CLEARED and alarm.acknowledged_at is None
    return (
        _at_once(told.opened_at, found.opened_at)
        and (told.level and told.level.rank) == (found.level and found.level.rank)
        and (not ends or _at_once(told.cleared_at, found.cleared_at))
    )


def _at_once(one: datetime | None, other: datetime | None) -> bool:
    return one == other if one is None or other is None else abs(one - other) <= SAME


def _peak(scale: Scale | None, rank: int) -> LevelWords | None:
    found = next((level.id for level in scale.levels if level.rank == rank), None) if scale else None
    return level_words(scale, found) if found else None


def entity_as_judged(entity: Entity) -> dict[str, Any]:
    """An entity as expressions name it: its fields beside id, name, town, area, lon, lat."""
    kind = packs().type(entity.type)
    zone = packs().parameters.zone
    fields = {name: value_to_judge(one, entity.fields.get(name), zone) for name, one in kind.fields.items()}
    own = ("id", "name", "town", "area", "lon", "lat")
    return fields | {name: getattr(entity, name) for name in own}


def _linked(rule: CompiledRule, entity: Entity, start: datetime, end: datetime) -> Mapping[str, pl.DataFrame]:
    """Rows for each `latest(link.property)` of the rule: of all linked entities, in time."""
    found: dict[str, pl.DataFrame] = {}
    for leaf in rule.leaves:
        if isinstance(leaf, Latest):
            targets = [entity.id]
            if leaf.link != "self":
                links = Relation.objects.filter(from_entity=entity, link=leaf.link).order_by("to_entity_id")
                targets = list(links.values_list("to_entity_id", flat=True))
            frames = [_streamed(target, leaf.prop, start, end) for target in targets]
            if frames:
                found[leaf.key] = pl.concat(frames)
    return found
