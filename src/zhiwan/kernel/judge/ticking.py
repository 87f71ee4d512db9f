"""Time alone: conditions that have lasted long enough, values that stay away, alarms that a person released."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from zhiwan.kernel.judge import columns
from zhiwan.kernel.judge.engines.polars import to_polars
from zhiwan.kernel.judge.engines.reference import evaluate_reference
from zhiwan.kernel.judge.events import Judgement
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.late import History, row_of
from zhiwan.kernel.judge.machine import Fact, Reading, Row, release, step
from zhiwan.kernel.judge.rulebook import CompiledRule, RuleBook
from zhiwan.kernel.judge.series import NEVER, Series, Slots
from zhiwan.kernel.judge.state import PROMISE, JudgeState
from zhiwan.kernel.judge.telling import Readings, Teller
from zhiwan.kernel.judge.tracking import Tracked, pass_time
from zhiwan.kernel.judge.world import World, microseconds, moment


def tick(book: RuleBook, world: World, state: JudgeState, now: datetime) -> Judgement:
    """What time alone brings: conditions that have lasted long enough, and values that stay away (`absent`).

    Call it when the stream is read up to about `now`; after a pause, first read on.
    """
    state.bind(book, world)
    teller = Teller(world, state, now)
    tell_released(book, state, teller)
    for rule in book.rules:
        clock = _Clock(world, state, teller, rule, now)
        clock.ripen()
        if rule.rule.absent is not None:
            clock.miss(rule.rule.absent)
    return Judgement(events=teller.events())


class Recall:
    """The remembered readings of series that something is told about, fetched together when first asked for."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self._slots: set[int] = set()
        self._found: dict[int, Readings] | None = None

    def of(self, slot: int) -> Callable[[], Readings]:
        """A way to the readings of a slot; all slots are named before the first is read."""
        self._slots.add(slot)
        return lambda: self.within(self.known(slot))

    def known(self, slot: int) -> Readings:
        if self._found is None:
            self._found = self.series.by_slot(np.array(sorted(self._slots), dtype=np.int64))
        return self._found.get(slot, [])

    def within(self, readings: Readings) -> Readings:
        """Those no older than the horizon before the newest: what is remembered once all of them have arrived."""
        oldest = max((at for at, _ in readings), default=0) - self.series.horizon
        return [one for one in readings if one[0] >= oldest]


class _Clock:
    """One rule when time passes."""

    def __init__(self, world: World, state: JudgeState, teller: Teller, rule: CompiledRule, now: datetime) -> None:
        self.world, self.state, self.teller, self.rule, self.now = world, state, teller, rule, now
        self.series = state.series[rule.type, rule.prop]
        self.recall = Recall(self.series)

    def ripen(self) -> None:
        """Conditions that are pending since long enough; and forgets what no late reading can reach any more."""
        slots, lateness = self.state.slots[self.rule.type], self.rule.rule.lateness
        for (entity, cause), tracked in list(self.state.of_rule(self.rule.id).items()):
            slot = slots.get(entity)
            if cause != "when" or slot is None or self.series.head_at[slot] == NEVER:
                continue
            if tracked.now.phase != "pending" and not tracked.trail and not tracked.past:
                continue
            last = moment(int(self.series.head_at[slot]))
            facts = pass_time(self.rule.timing, tracked, last, self.now)
            self._tell(slot, entity, "when", tracked, facts)
            before = len(tracked.trail), len(tracked.past)
            tracked.prune(last - lateness)
            if facts or before != (len(tracked.trail), len(tracked.past)):
                self.state.put(self.rule.id, entity, "when", tracked)

    def miss(self, absent: timedelta) -> None:
        """Entities whose value has stayed away for so long. One that never sent anything is not missed."""
        span = absent // timedelta(microseconds=1)
        silent = (self.series.head_at > NEVER) & (self.series.head_at + span <= microseconds(self.now))
        present = self.state.present[self.rule.type]
        silent[: len(present)] &= present
        ids, known = self.state.ids[self.rule.type], self.state.of_rule(self.rule.id)
        fresh = [
            slot for slot in np.flatnonzero(silent).tolist()
            if (one := known.get((ids[slot], "absent"))) is None or one.now.phase == "idle"
        ]  # fmt: skip
        slots = self._applying(np.array(fresh, dtype=np.int64))
        for slot, row in zip(slots, self._last_rows(slots), strict=True):
            level = evaluate_reference(self.rule.level, row)
            at = moment(int(self.series.head_at[slot]) + span)
            reading = Reading(at, True, None, level if isinstance(level, str) else None, row)
            tracked = known.get((ids[slot], "absent")) or Tracked()
            tracked.now, facts = step(self.rule.absent_timing, tracked.now, reading, None)
            self._tell(slot, ids[slot], "absent", tracked, facts)
            self.state.put(self.rule.id, ids[slot], "absent", tracked)

    def _applying(self, slots: Slots) -> list[int]:
        """Those of the entities that the rule is about (`where`), at this moment."""
        leaves = n.leaves(self.rule.where)
        if len(slots) and leaves:
            at = np.full(len(slots), microseconds(self.now))
            found = columns.field_columns(self.state, self.rule.type, leaves, slots)
            found |= columns.parameter_columns(self.world, leaves, at)
            applies = pl.DataFrame(found).with_columns(to_polars(self.rule.where).alias("#"))["#"]
            slots = slots[applies.fill_null(False).to_numpy()]
        kept: list[int] = slots.tolist()
        return kept

    def _last_rows(self, slots: list[int]) -> list[Row]:
        """The last reading of silent series, as the rule sees it."""
        arrivals = self.series.by_slot(np.array(slots, dtype=np.int64))
        leaves = self.rule.leaves | {n.Name("name_en", "text")}
        beside = columns.field_columns(self.state, self.rule.type, leaves, np.array(slots, dtype=np.int64))
        rows = []
        for slot, fields in zip(slots, pl.DataFrame(beside).to_dicts(), strict=True):
            history = History(self.series.horizon, arrivals.get(slot, ()))
            rows.append(row_of(self.world, self.rule.leaves, history, int(self.series.head_at[slot]), fields))
        return rows

    def _tell(self, slot: int, entity: str, cause: str, tracked: Tracked, facts: list[Fact]) -> None:
        if facts:
            self.teller.tell(
                self.rule, entity, cause, tracked, facts, place=(2, facts[0].at),
                town=self.state.towns[self.rule.type][slot], readings=self.recall.of(slot),
            )  # fmt: skip


def tell_released(book: RuleBook, state: JudgeState, teller: Teller) -> None:
    """Latched alarms that a person released since the last judgement."""
    if not state.released:
        return
    rules = {rule.id: rule for rule in book.rules}
    for rule_id, known in list(state.tracked.items()):
        rule = rules.get(rule_id)
        for (entity, cause), tracked in list(known.items()):
            episode = tracked.now.episode
            if rule is None or episode is None or episode.id not in state.released:
                continue
            slot = state.slots[rule.type].get(entity)
            tracked.now, facts = release(tracked.now)
            if facts and slot is not None:
                recall = Recall(state.series[rule.type, rule.prop])
                teller.tell(
                    rule, entity, cause, tracked, facts, place=(0, facts[0].at),
                    town=state.towns[rule.type][slot], readings=recall.of(slot),
                )  # fmt: skip
            state.put(rule_id, entity, cause, tracked)
    for id in state.released:
        state.touch(PROMISE, id)
    state.released.clear()
