"""复核: an alarm judged again from the lake's rows by other engines than the stream's, beside what was told.

    recheck_alarm(alarm_id, at=None) -> Recheck

The stream judged with Polars; here DuckDB and the plain reference judge. They see what is known *now*: a correction
that came later may give another result, and then this says so. The rule is the one that judged: a text that the
district changed since is taken as it was, and an alarm that lived through a change is judged by each text in its time.

The lake takes a reading a moment after the judge did: rows that it does not have yet are waited for, a few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from zhiwan.city.packs_loaded import in_force_at, lake, packs, region
from zhiwan.city.registry import clock
from zhiwan.city.registry.fields import value_to_judge
from zhiwan.city.registry.models import Entity, Relation
from zhiwan.city.watch.actions.alarms import AlarmUnknown
from zhiwan.city.watch.models import Alarm, AlarmState, LatestValue
from zhiwan.city.watch.queries.words import LevelWords, level_words, pack_of, rule_or_none, scale_of
from zhiwan.city.watch.taken_up import taken_up
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.judge import RuleBook, recompute
from zhiwan.kernel.judge.expressions.nodes import Latest
from zhiwan.kernel.judge.rulebook import CompiledRule
from zhiwan.kernel.packs.models import Scale, Text, print_duration
from zhiwan.kernel.packs.parameters import ParameterBook

ENGINES = {"duckdb": Text(zh="DuckDB 引擎", en="DuckDB"), "reference": Text(zh="参照引擎", en="reference engine")}
TOLD = Text(zh="当时的判断", en="as judged then")
ROWS = Text(zh="逐条核对读数间隔", en="gaps between the rows")
#: How much before the alarm is read, beside what the rule looks back on.
BEFORE = timedelta(hours=6)
AFTER = timedelta(hours=1)
#: No rule looks back further (its windows and spans are bounded by a month).
LONGEST_LOOK = timedelta(days=32)
#: A reading's instants are kept to the microsecond; the sentence is about the same moment.
SAME = timedelta(milliseconds=1)
#: How long a recheck waits for the lake (it commits every few seconds; longer means that it does not).
MOST_SECONDS_BEHIND = 10.0


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
class JudgedBy:
    """One text of the rule: from when on it judged, and with which values."""

    since: datetime
    serial: int
    book: RuleBook
    rule: CompiledRule
    parameters: ParameterBook


@dataclass(frozen=True)
class Recheck:
    """`agree`: every engine finds the alarm as it was told.

    `versions` are the texts it was judged again by; `exact` is False where the text that judged is not to be had any
    more, because its pack was replaced.
    """

    agree: bool
    results: list[RecheckRow]
    versions: list[str]
    exact: bool


def recheck_alarm(*, alarm_id: str, at: datetime | None = None) -> Recheck:
    """Judge again. Reads only: who sees the alarm may ask. Raises AlarmUnknown, RuleGone."""
    now = at or clock.now()
    alarm = Alarm.objects.select_related("entity").filter(id=alarm_id).first()
    if alarm is None:
        raise AlarmUnknown(alarm=alarm_id)
    declared = rule_or_none(alarm.rule)
    if declared is None:
        raise RuleGone(rule=alarm.rule)
    texts = judged_by(alarm, now)
    rule = _of_serial(texts, _serial(alarm.rule_version)).rule
    scale = scale_of(pack_of(alarm.rule), declared.scale)
    told = RecheckRow(TOLD, alarm.opened_at, alarm.cleared_at, _peak(scale, alarm.peak_rank), None)
    found = [] if rule.never else _by_engines(texts, alarm, scale, now)
    absent = rule.rule.absent
    if absent is not None and not any(one.opened_at for one in found):
        found = [_by_gaps(absent, rule, alarm, now, told.level)]
    return Recheck(
        agree=all(_same(told, one, alarm) for one in found),
        results=[told, *found],
        versions=[one.rule.version for one in texts],
        exact=_as_it_judged(alarm, texts),
    )


def judged_by(alarm: Alarm, now: datetime) -> list[JudgedBy]:
    """The texts of the rule from well before the alarm to its end, each from when the worker took it up."""
    began = alarm.opened_at - BEFORE - LONGEST_LOOK
    end = min(now, (alarm.cleared_at or now) + AFTER)
    found = [_text(alarm.rule, 0, began)]
    for one in taken_up(end):
        text = _text(alarm.rule, one.serial, max(one.at, began))
        if one.at <= began or text.rule.version == found[-1].rule.version:
            found[-1] = replace(text, since=found[-1].since)
        else:
            found.append(text)
    return _around(alarm, found)


def _around(alarm: Alarm, texts: list[JudgedBy]) -> list[JudgedBy]:
    """The text that opened the alarm judged at its opening, whatever was on its way when it was taken up."""
    serial = _serial(alarm.rule_version)
    place = next((number for number, one in enumerate(texts) if _marked(one) == serial), None)
    if place is None:  # nobody noted when it was taken up
        return [_text(alarm.rule, serial, texts[0].since)]
    edges = [one.since for one in texts]
    edges[: place + 1] = [min(edge, alarm.opened_at) for edge in edges[: place + 1]]
    for later in range(place + 1, len(texts)):
        edges[later] = max(edges[later], alarm.opened_at + SAME)
    return [replace(one, since=since) for one, since in zip(texts, edges, strict=True)]


def _text(rule_id: str, serial: int, since: datetime) -> JudgedBy:
    then = in_force_at(serial).packs
    book = RuleBook.of_rules(then, [rule_id])
    return JudgedBy(since, serial, book, book.rule(rule_id), then.parameters)


def _serial(version: str) -> int:
    """0.1.0+local.3 → 3; 0 where nothing was changed."""
    number = version.partition("+local.")[2]
    return int(number) if number.isdecimal() else 0


def _marked(text: JudgedBy) -> int:
    """The change that the text's version names: the last one that touched the rule."""
    return text.rule.local.serial if text.rule.local else 0


def _of_serial(texts: Sequence[JudgedBy], serial: int) -> JudgedBy:
    return next((one for one in texts if _marked(one) == serial), texts[0])


def _as_it_judged(alarm: Alarm, texts: Sequence[JudgedBy]) -> bool:
    """Whether the text is the one that the alarm kept as evidence; an alarm of before it was kept counts as such."""
    kept = alarm.evidence
    rule = _of_serial(texts, _serial(str(kept.get("version", alarm.rule_version)))).rule.rule
    spans = {"lasting": rule.lasting, "clear_lasting": rule.clear_lasting}
    now = {"when": rule.when, "where": rule.where, "clear": rule.clear, "level": rule.level}
    now |= {key: print_duration(span) if span else None for key, span in spans.items()}
    return all(kept[key] == value for key, value in now.items() if key in kept)


def _by_engines(texts: Sequence[JudgedBy], alarm: Alarm, scale: Scale | None, now: datetime) -> list[RecheckRow]:
    """Each engine on the same rows."""
    start = min(_span(text.rule, alarm, now)[0] for text in texts)
    end = _span(texts[0].rule, alarm, now)[1]
    kept = _streamed_all(alarm, start, end)
    linked: dict[str, pl.DataFrame] = {}
    for text in texts:
        linked |= _linked(text.rule, alarm.entity, start, end)
    return [_by_engine(engine, texts, alarm, scale, kept, linked, end) for engine in ENGINES]


def _by_engine(
    engine: Any, texts: Sequence[JudgedBy], alarm: Alarm, scale: Scale | None, kept: pl.DataFrame,
    linked: Mapping[str, pl.DataFrame], end: datetime,
) -> RecheckRow:  # fmt: skip
    first, *later = texts
    result = recompute(
        first.book, alarm.rule, entity_as_judged(alarm.entity), kept, engine=engine, parameters=first.parameters,
        region=region(), at=alarm.opened_at, until=end, linked=linked,
        changes=[(one.since, one.book, one.parameters) for one in later],
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


def _streamed_all(alarm: Alarm, start: datetime, end: datetime) -> pl.DataFrame:
    """The rows, and in them the newest that the judge has seen: the lake commits it up to a few seconds later."""
    newest = LatestValue.objects.filter(entity=alarm.entity, property=alarm.property, observed_at__lt=end).first()
    waits_until = time.monotonic() + MOST_SECONDS_BEHIND
    while True:
        kept = _streamed(alarm.entity_id, alarm.property, start, end)
        there = newest is None or newest.observed_at < start or bool((kept["observed_at"] >= newest.observed_at).any())
        if there or time.monotonic() > waits_until:
            return kept
        time.sleep(0.25)


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
