"""Runs the replays of packs (tests/*.yml) through the judge itself, with a clock of their own.

What a replay feeds becomes batches in the order of arrival; after each moment the judge has judged what came and the
ticker has looked for what did not. Nothing is simulated but the clock: the same code judges the live stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US, Quality
from zhiwan.kernel.judge import AlarmEvent, Judgement, JudgeState, RuleBook, World, judge, tick
from zhiwan.kernel.packs.models import EntityType, FieldDecl, Pack, print_duration
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.replays import Arriving, Expectation, Replay, ReplayEntity

_FIELD_TYPES: dict[str, pl.DataType] = {
    "number": pl.Float64(), "text": pl.String(), "choice": pl.String(), "boolean": pl.Boolean(), "date": UTC_US,
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One reading of a replay: when it was observed and when it arrived."""

    entity: str
    property: str
    observed_at: datetime
    arrived_at: datetime
    value: float


@dataclass(frozen=True)
class Replayed:
    """What came of one replay: nothing in `problems` is a pass."""

    replay: Replay
    problems: list[str]
    events: list[AlarmEvent]

    @property
    def happened(self) -> str:
        """All that the rules said, at offsets of the clock: `+15min above_limit opened (serious)`."""
        told = [
            f"+{_spoken(event.recorded_at - self.replay.clock.start)} {event.rule.rpartition('.')[2]} {event.kind}"
            f" ({event.level})"
            for event in self.events
        ]
        return "; ".join(told) or "no rule said anything"


@dataclass
class _Seen:
    """What a duty officer would have seen so far."""

    events: list[AlarmEvent] = field(default_factory=list)
    values: dict[tuple[str, str], tuple[datetime, float]] = field(default_factory=dict)

    def take(self, judgement: Judgement) -> None:
        self.events += judgement.events
        rows = judgement.derived.select("entity", "property", "observed_at", "value").iter_rows()
        for entity, name, observed_at, value in rows:
            self.note(entity, name, observed_at, value)

    def note(self, entity: str, name: str, observed_at: datetime, value: float) -> None:
        known = self.values.get((entity, name))
        if known is None or known[0] <= observed_at:
            self.values[entity, name] = (observed_at, value)

    def alarms(self) -> list[AlarmEvent]:
        """The last event of each alarm."""
        return list({event.alarm_id: event for event in self.events}.values())


def replay_pack(packs: PackSet, pack: Pack, replays: Iterable[Replay]) -> Iterator[Replayed]:
    """Run the replays of one pack among the packs it needs. Raises PackBroken when rules do not compile."""
    book = RuleBook.compile(packs)
    for replay in replays:
        yield run_replay(packs, pack, replay, book)


def run_replay(packs: PackSet, pack: Pack, replay: Replay, book: RuleBook) -> Replayed:
    """Run one replay."""
    world = _world(packs, replay)
    state, seen, problems = JudgeState(), _Seen(), []
    readings = sorted(_readings(replay), key=lambda one: (one.arrived_at, one.observed_at, one.entity, one.property))
    start = replay.clock.start
    expected = {start + one.at: one for one in replay.expect}
    sequence, before = 0, None
    for moment in _moments(replay, readings):
        arrived = [one for one in readings if (before is None or one.arrived_at > before) and one.arrived_at <= moment]
        if arrived:
            batch = _batch(packs, replay, arrived, sequence)
            sequence += len(arrived)
            for one in arrived:
                seen.note(one.entity, one.property, one.observed_at, one.value)
            judgement = judge(book, world, state, batch, moment)
            problems += [f"{problem.what} failed: {problem.error}" for problem in judgement.problems]
            seen.take(judgement)
        seen.take(tick(book, world, state, moment))
        if moment in expected:
            at = f"at +{_spoken(moment - start)}"
            problems += [f"{at}: {problem}" for problem in _compare(pack, replay, expected[moment], seen)]
        before = moment
    problems += _advice(packs, pack, replay) if problems else []
    return Replayed(replay, problems, [event for event in seen.events if event.rule.startswith(f"{pack.id}.")])


def _moments(replay: Replay, readings: list[Reading]) -> list[datetime]:
    """Every step, every arrival and every expectation up to the last of them."""
    start, step = replay.clock.start, replay.clock.step
    wanted = {one.arrived_at for one in readings} | {start + one.at for one in replay.expect}
    last = max(wanted | {start + step * (len(feed) - 1) for feed in replay.feeds.values() if feed})
    steps = (last - start) // step + 1
    return sorted(wanted | {start + step * number for number in range(steps)})


def _readings(replay: Replay) -> Iterator[Reading]:
    for name, feed in replay.feeds.items():
        who, _, property_name = name.rpartition(".")
        for number, item in enumerate(feed):
            value = item.value if isinstance(item, Arriving) else item
            after = item.after if isinstance(item, Arriving) else timedelta(0)
            for at in _times(replay, number) if value is not None else ():
                yield Reading(who or replay.entity.id, property_name, at, at + after, float(value or 0))


def _times(replay: Replay, number: int) -> list[datetime]:
    """When the readings of a step are observed: at its start, or `every` so often within it."""
    begins, every = replay.clock.start + replay.clock.step * number, replay.clock.every or replay.clock.step
    return [begins + every * part for part in range(replay.clock.step // every)]


def _batch(packs: PackSet, replay: Replay, arrived: list[Reading], sequence: int) -> pl.DataFrame:
    types = {entity.id: packs.type(entity.type) for entity in (replay.entity, *replay.others)}
    # What one entity observed at one moment comes as one message, as a station sends it.
    messages = list(dict.fromkeys((one.entity, one.observed_at, one.arrived_at) for one in arrived))
    rows = [
        {
            "entity": one.entity,
            "property": one.property,
            "observed_at": one.observed_at,
            "value": one.value,
            "source": "replay",
            "recorded_at": one.arrived_at,
            "quality": _quality(types[one.entity], one),
            "seq": sequence + messages.index((one.entity, one.observed_at, one.arrived_at)) + 1,
        }
        for one in arrived
    ]
    return pl.DataFrame(rows, schema=OBSERVATION_SCHEMA)


def _quality(kind: EntityType, reading: Reading) -> int:
    """As intake would flag it: out of range is kept and not judged."""
    span = kind.properties[reading.property].range
    outside = span is not None and not span[0] <= reading.value <= span[1]
    late = Quality.LATE if reading.arrived_at > reading.observed_at else Quality.GOOD
    return int((Quality.RANGE if outside else Quality.GOOD) | late)


def _world(packs: PackSet, replay: Replay) -> World:
    by_type: dict[str, list[ReplayEntity]] = {}
    for entity in (replay.entity, *replay.others):
        by_type.setdefault(entity.type, []).append(entity)
    zone = replay.clock.start.tzinfo or UTC
    entities = {name: _entities(packs.type(name), members, zone) for name, members in by_type.items()}
    schema = {"from_id": pl.String(), "link": pl.String(), "to_id": pl.String()}
    links = pl.DataFrame(
        [{"from_id": link.from_, "link": link.link, "to_id": link.to} for link in replay.links], schema=schema
    )
    return World(entities=entities, links=links, parameters=packs.parameters, region=replay.region, space="replay")


def _entities(kind: EntityType, members: list[ReplayEntity], zone: tzinfo) -> pl.DataFrame:
    schema: dict[str, pl.DataType] = {
        "id": pl.String(), "name": pl.String(), "town": pl.String(), "area": pl.String(),
        "lon": pl.Float64(), "lat": pl.Float64(),
    }  # fmt: skip
    schema |= {name: _FIELD_TYPES[declared.type] for name, declared in kind.fields.items()}
    rows = [
        {"id": one.id, "name": one.name, "town": one.town, "area": one.area or one.town, "lon": 0.0, "lat": 0.0}
        | {name: _field(declared, one.fields.get(name), zone) for name, declared in kind.fields.items()}
        for one in members
    ]
    return pl.DataFrame(rows, schema=schema)


def _field(declared: FieldDecl, value: Any, zone: tzinfo) -> Any:
    """A date is its first moment at the offset of the clock, as it is in the zone of the place when it is live."""
    if value is None:
        return None
    if declared.type == "date":
        return datetime.combine(date.fromisoformat(value), time(), zone).astimezone(UTC)
    return float(value) if declared.type == "number" else value


def _compare(pack: Pack, replay: Replay, wanted: Expectation, seen: _Seen) -> Iterator[str]:
    """What differs from the expectation, in words."""
    prefix = f"{pack.id}."
    open_now = [event for event in seen.alarms() if event.state in ("open", "quiet")]
    if wanted.open is not None:
        found = {event.rule.removeprefix(prefix) for event in open_now if event.rule.startswith(prefix)}
        if found != set(wanted.open):
            yield f"open are {_list(found)}, expected {_list(set(wanted.open))}"
    rule = f"{prefix}{replay.rule}"
    own = [event for event in open_now if event.rule == rule and event.entity == replay.entity.id]
    if wanted.level is not None:
        levels = {event.level for event in own}
        if levels != {wanted.level}:
            yield f"the level is {_list(levels)}, expected {wanted.level}"
    if wanted.message is not None:
        texts = [text for event in own for text in (event.message_zh, event.message_en)]
        if not any(wanted.message in text for text in texts):
            yield f'no message holds "{wanted.message}"; messages: {_list(set(texts))}'
    of_rule = [event for event in seen.events if event.rule == rule]
    counts = {
        "raised": (wanted.raised, sum(event.kind == "opened" for event in of_rule)),
        "corrected": (wanted.corrected, sum(event.kind == "corrected" for event in of_rule)),
        "notified": (wanted.notified, sum(_tells(event) for event in of_rule)),
    }
    for word, (expected, found_count) in counts.items():
        if expected is not None and expected != found_count:
            yield f"{word} {found_count} times, expected {expected}"
    for name, value in wanted.values.items():
        who, _, property_name = name.rpartition(".")
        known = seen.values.get((who or replay.entity.id, property_name))
        shown = None if known is None else known[1]
        if not _same(shown, value):
            yield f"{name} is {'missing' if shown is None else shown}, expected {'missing' if value is None else value}"


def _advice(packs: PackSet, pack: Pack, replay: Replay) -> list[str]:
    """The one surprise that authors meet most: between readings far apart nothing lasts."""
    rule = next((one for one in pack.rules if one.id == replay.rule), None)
    cadence = packs.property(rule.watch).cadence if rule else None
    if rule is None or cadence is None or not rule.lasting:
        return []
    apart = replay.clock.every or replay.clock.step
    if min(apart, rule.lasting) <= 3 * cadence:
        return []
    held = f"a value of {rule.watch} holds for three cadences ({print_duration(3 * cadence)})"
    return [f"note: {held}, readings come every {print_duration(apart)}: nothing lasts; set `every` of the clock"]


def _tells(event: AlarmEvent) -> bool:
    """Whether a person is told: an alarm opens or rises, and no other notice of its town covers it (`near`)."""
    return event.kind in ("opened", "raised") and event.joins is None


def _same(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return abs(found - wanted) <= 1e-6 * max(1.0, abs(wanted))


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _spoken(span: timedelta) -> str:
    return print_duration(span) if span else "0min"
