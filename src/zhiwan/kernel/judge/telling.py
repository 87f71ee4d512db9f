"""Facts become events: ids, sentences in two languages, the order of telling, shared notices, and the evidence.

Evidence is gathered last and only for what is told, from the readings as they were known when it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from zhiwan.kernel.judge.engines.reference import evaluate_reference
from zhiwan.kernel.judge.events import AlarmEvent, AlarmState, EventKind, alarm_id
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.machine import Episode, Fact, Row
from zhiwan.kernel.judge.rulebook import CompiledRule
from zhiwan.kernel.judge.state import NOTICE, JudgeState, Notice
from zhiwan.kernel.judge.tracking import Tracked
from zhiwan.kernel.judge.world import World, microseconds, moment
from zhiwan.kernel.packs.models import print_duration

READINGS = 120
Readings = list[tuple[int, float]]  # in order of arrival: µs, value


@dataclass(frozen=True)
class _Told:
    """An event before its evidence. `place` orders events: the row that caused it, then the rule."""

    place: tuple[Any, ...]
    rule: CompiledRule
    event: AlarmEvent
    row: Row
    town: str
    readings: Callable[[], Readings]


class Teller:
    """Collects what one judgement has to say."""

    def __init__(self, world: World, state: JudgeState, now: datetime) -> None:
        self.world, self.state, self.now = world, state, now
        self.told: list[_Told] = []

    def tell(
        self, rule: CompiledRule, entity: str, cause: str, tracked: Tracked, facts: Iterable[Fact], *,
        place: tuple[Any, ...], town: str, readings: Callable[[], Readings], late: bool = False,
    ) -> None:  # fmt: skip
        """Tells facts of one rule at one entity, and writes into `tracked` what was told, so that it is told once."""
        said: dict[datetime, Episode] = {}
        for step, fact in enumerate(facts):
            episode = self._told_before(said, fact, rule, entity, cause, tracked)
            if fact.kind in ("opened", "raised", "lowered", "active", "corrected") and not fact.withdrawn:
                zone = self.world.parameters.zone
                zh, en = rule.messages
                episode = msgspec.structs.replace(episode, message=(zh.fill(fact.row, zone), en.fill(fact.row, zone)))
            said[episode.opened_at] = episode
            event = self._event(rule, entity, fact, episode, late)
            self.told.append(_Told((*place, rule.number, entity, cause, step), rule, event, fact.row, town, readings))
        if tracked.now.episode is not None and (known := said.get(tracked.now.episode.opened_at)):
            now = msgspec.structs.replace(tracked.now.episode, id=known.id, steps=known.steps, message=known.message)
            tracked.now = msgspec.structs.replace(tracked.now, episode=now)
        if said and tracked.past:
            tracked.past = [_with_told(one, said) for one in tracked.past]
        if said and tracked.withdrawn:
            tracked.withdrawn = [_with_told(one, said) for one in tracked.withdrawn]

    def _told_before(
        self, said: dict[datetime, Episode], fact: Fact, rule: CompiledRule, entity: str, cause: str, tracked: Tracked
    ) -> Episode:
        """The episode of a fact with its id and the number of this event.

        One that was withdrawn and is there again from the same instant is the same alarm: its events go on counting,
        because an event told twice under one number would be taken for known.
        """
        opened_at = fact.episode.opened_at
        before = next((one for one in tracked.withdrawn if one.opened_at == opened_at), None)
        known = said.get(opened_at) or (before if before and not fact.episode.id else fact.episode)
        id = known.id or alarm_id(self.world.space, rule.id, entity, cause, fact.episode.opened_at)
        return msgspec.structs.replace(fact.episode, id=id, steps=known.steps + 1, message=known.message)

    def _event(self, rule: CompiledRule, entity: str, fact: Fact, episode: Episode, late: bool) -> AlarmEvent:
        level = rule.levels[episode.level]
        value = fact.row.get("value")
        return AlarmEvent(
            id=f"{episode.id}-{episode.steps}",
            alarm_id=episode.id,
            kind=_kind(fact.kind),
            rule=rule.id,
            rule_version=rule.version,
            entity=entity,
            property=rule.prop,
            at=fact.at,
            recorded_at=self.now,
            level=level.id,
            rank=level.rank,
            tone=level.tone,
            message_zh=episode.message[0],
            message_en=episode.message[1],
            value=value if isinstance(value, float) else None,
            late=late,
            state=_state(fact),
            opened_at=episode.opened_at,
            cleared_at=episode.cleared_at,
            peak_rank=rule.levels[episode.peak].rank,
        )

    def events(self) -> list[AlarmEvent]:
        """All that was told, in the order of the stream."""
        found = []
        for told in sorted(self.told, key=lambda one: one.place):
            joins = self._notice(told)
            evidence = evidence_of(self.world, told.rule, told.row, told.readings())
            found.append(replace(told.event, joins=joins, evidence=evidence))
        return found

    def _notice(self, told: _Told) -> str | None:
        """Alarms of a rule that open near each other, in one town, count as one notice: the first speaks for them."""
        near = told.rule.rule.near
        if near is None or told.event.kind != "opened":
            return None
        key = (told.rule.id, told.town)
        last = self.state.notices.get(key)
        if last is not None and abs(told.event.opened_at - last.at) < near:
            return last.alarm_id
        self.state.notices[key] = Notice(told.event.opened_at, told.event.alarm_id)
        self.state.touch(NOTICE, "|".join(key))
        return None


def _with_told(one: Episode, said: dict[datetime, Episode]) -> Episode:
    known = said.get(one.opened_at)
    return one if known is None else msgspec.structs.replace(one, id=known.id, steps=known.steps, message=known.message)


def _kind(kind: str) -> EventKind:
    kinds: dict[str, EventKind] = {
        "opened": "opened", "raised": "raised", "lowered": "lowered", "quiet": "quiet", "active": "active",
        "cleared": "cleared", "corrected": "corrected",
    }  # fmt: skip
    return kinds[kind]


def _state(fact: Fact) -> AlarmState:
    if fact.withdrawn:
        return "withdrawn"
    if fact.episode.cleared_at is not None:
        return "cleared"
    return "quiet" if fact.episode.quiet_at is not None else "open"


def evidence_of(world: World, rule: CompiledRule, row: Row, readings: Readings) -> dict[str, Any]:
    """Why: the readings, what they were held against, the parameters with their sources. Plain JSON."""
    declared = rule.rule
    at = row.get("observed_at")
    names = {key: _plain(value) for key, value in sorted(row.items()) if key not in ("name_en", "#level")}
    return {
        "version": rule.version,
        "when": declared.when,
        "where": declared.where,
        "clear": declared.clear,
        "level": declared.level,
        "lasting": _span(declared.lasting),
        "clear_lasting": _span(declared.clear_lasting),
        "absent": None if declared.absent is None else print_duration(declared.absent),
        "latched": declared.latched,
        "unit": rule.decl.unit,
        "names": names,
        "limits": {text: evaluate_reference(limit, row) for text, limit in rule.limits.items()},
        "parameters": [] if at is None else _parameters(world, rule, microseconds(at)),
        "readings": [[moment(when).isoformat(), value] for when, value in recent(readings)],
    }


def recent(readings: Readings) -> Readings:
    """The newest readings, one per instant (the last arrival holds), earliest first."""
    return sorted(dict(readings).items())[-READINGS:]


def _parameters(world: World, rule: CompiledRule, at: int) -> list[dict[str, Any]]:
    found = []
    for id in sorted({leaf.id for leaf in rule.leaves if isinstance(leaf, n.Parameter)}):
        interval = world.in_force(id, at)
        if interval is not None:
            one = interval.in_force
            entry = {"id": id, "value": one.value, "from": one.from_.isoformat(), "source": one.source}
            found.append(entry | {"verify": one.verify})
    return found


def _span(span: timedelta) -> str | None:
    return print_duration(span) if span else None


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
