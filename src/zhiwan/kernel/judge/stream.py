"""Judging a batch: derive steps, then rules, in columns; Python touches only rows that matter.

For each watched property the conditions of all its rules are calculated at once (Polars). A row is *interesting* to a
rule where the condition is true or the rule is not idle at that entity; those rows go through machine.py one by one.
Series with a late reading in the batch go through late.py. Both give what late.py alone would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, Quality
from zhiwan.kernel.judge import columns
from zhiwan.kernel.judge.columns import Rows
from zhiwan.kernel.judge.deriving import derive_all
from zhiwan.kernel.judge.engines.reference import evaluate_reference, evaluate_truth
from zhiwan.kernel.judge.events import Judgement
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.late import History, arrive, row_of
from zhiwan.kernel.judge.machine import Reading, Row, release, step
from zhiwan.kernel.judge.rulebook import CompiledRule, Group, RuleBook
from zhiwan.kernel.judge.series import NEVER, Series
from zhiwan.kernel.judge.state import ALARM, PROMISE, JudgeState
from zhiwan.kernel.judge.telling import Readings, Teller
from zhiwan.kernel.judge.tracking import Tracked, advance, pass_time
from zhiwan.kernel.judge.world import World, microseconds, moment


def judge(book: RuleBook, world: World, state: JudgeState, batch: pl.DataFrame, now: datetime) -> Judgement:
    """Judges a batch of observations (OBSERVATION_SCHEMA) whose rows stand in the order of the stream.

    A message (one `seq`) must not be split over two batches. Rows flagged RANGE, of unknown entities or of properties
    that nothing judges are passed over. `now` is only written into what is told.
    """
    state.bind(book, world)
    teller = Teller(world, state, now)
    _release(book, world, state, teller)
    rows = _prepared(book, state, batch)
    derived, rows, problems = derive_all(book, world, state, rows, now)
    groups = _by_group(rows)
    for group, found in groups.items():
        rules = book.groups.get(group)
        if rules:
            _GroupJudge(book, world, state, teller, group, rules, found, groups).run()
    events = teller.events()
    for group, found in groups.items():
        if group in state.series:
            state.series[group].append(found.slots, found.at, found.values)
    return Judgement(derived, events, problems)


def tick(book: RuleBook, world: World, state: JudgeState, now: datetime) -> Judgement:
    """What time alone brings: conditions that have lasted long enough, and values that stay away (`absent`).

    Call it when the stream is read up to about `now`; after a pause, first read on.
    """
    state.bind(book, world)
    teller = Teller(world, state, now)
    _release(book, world, state, teller)
    for rule in book.rules:
        series = state.series[rule.type, rule.prop]
        _ripen(world, state, teller, rule, series, now)
        if rule.rule.absent is not None:
            _absent(world, state, teller, rule, series, now)
    return Judgement(events=teller.events())


def _prepared(book: RuleBook, state: JudgeState, batch: pl.DataFrame) -> pl.DataFrame:
    """Good readings that something judges: slot, type, property, at, value, seq, message, in order of the stream."""
    wanted = {*book.groups, *book.lookups, *book.derive_inputs}
    pairs = pl.DataFrame(sorted(wanted), schema={"type": pl.String(), "property": pl.String()}, orient="row")
    good = (pl.col("quality") & int(Quality.RANGE) == 0) & pl.col("value").is_finite()
    rows = batch.select(*OBSERVATION_SCHEMA).filter(good).sort("seq", maintain_order=True)
    rows = rows.join(state.index, left_on="entity", right_on="id", how="inner", maintain_order="left")
    rows = rows.join(pairs, on=["type", "property"], how="semi", maintain_order="left")
    return rows.select(
        "slot", "type", "property", pl.col("observed_at").cast(pl.Int64).alias("at"), "value", "seq",
        pl.col("seq").rle_id().cast(pl.Int64).alias("message"),
    )  # fmt: skip


def _by_group(rows: pl.DataFrame) -> dict[Group, Rows]:
    ordered = rows.with_row_index("order")
    parts = ordered.partition_by("type", "property", as_dict=True, maintain_order=True)
    return {
        (str(type), str(prop)): Rows(
            part["slot"].to_numpy(), part["at"].to_numpy(), part["value"].to_numpy(),
            part["order"].to_numpy().astype(np.int64),
        )
        for (type, prop), part in parts.items()
    }  # fmt: skip


class _GroupJudge:
    """All rules of one watched property over its rows of a batch."""

    def __init__(
        self, book: RuleBook, world: World, state: JudgeState, teller: Teller, group: Group,
        rules: tuple[CompiledRule, ...], rows: Rows, batch: Mapping[Group, Rows],
    ) -> None:  # fmt: skip
        self.book, self.world, self.state, self.teller = book, world, state, teller
        self.type, self.rules, self.rows, self.batch = group[0], rules, rows, batch
        self.series = state.series[group]
        self.ids = list(state.slots[self.type])
        self.leaves = {leaf for rule in rules for leaf in rule.leaves}
        self._arrived: dict[int, list[tuple[int, int, float]]] | None = None
        self._known: dict[int, Readings] = {}

    def run(self) -> None:
        previous_at, previous_value, late = columns.neighbours(self.series, self.rows)
        latest = columns.latest_columns(
            self.book, self.world, self.state, self.type, self.leaves, self.rows, self.batch
        )
        self._columns(previous_at, previous_value, late, latest)
        if late.any():
            self._one_by_one(late, latest)

    # In columns

    def _columns(self, previous_at: Any, previous_value: Any, late: Any, latest: dict[str, pl.Series]) -> None:
        rows = self.rows.where(~late) if late.any() else self.rows
        if not len(rows.slots):
            return
        keep = pl.Series(~late)
        found = columns.base_columns(rows)
        found |= {key: column.filter(keep) for key, column in latest.items()}
        if n.Previous() in self.leaves:
            known = np.where(previous_at > NEVER, previous_value, np.nan)
            found["previous"] = columns.number_column(known[~late])
        found |= columns.window_columns(self.series, self.leaves, rows)
        found |= columns.parameter_columns(self.world, self.leaves, rows.at)
        conditions = [rule for rule in self.rules if not rule.never]
        tested = n.leaves(*(rule.when for rule in conditions))
        fields = columns.field_columns(self.state, self.type, tested, rows.slots)
        frame = pl.DataFrame({**found, **fields})
        flags = frame.with_columns(rule.polars[0].alias(f"#{rule.number}") for rule in conditions)
        flags = flags.select(f"#{rule.number}" for rule in conditions)
        fired = dict(zip(flags.columns, flags.select(pl.all().any()).row(0), strict=True)) if conditions else {}
        previous = previous_at[~late]
        for rule in self.rules:
            mask = np.zeros(len(rows.slots), dtype=bool)
            name = f"#{rule.number}"
            if fired.get(name):
                mask = flags[name].fill_null(False).to_numpy()
            # What the rule is awake about before the batch, and what may wake it in the batch.
            awake = np.concatenate([self._awake(rule), rows.slots[mask]])
            if len(awake):
                mask = np.isin(rows.slots, awake)
            if mask.any():
                self._interesting(rule, rows.where(mask), previous[mask], frame.filter(pl.Series(mask)))

    def _awake(self, rule: CompiledRule) -> Any:
        slots = self.state.slots[self.type]
        known = self.state.of_rule(rule.id).items()
        awake = [slots[entity] for (entity, _), one in known if one.now.phase != "idle" and entity in slots]
        return np.array(awake, dtype=np.int64)

    def _interesting(self, rule: CompiledRule, rows: Rows, previous: Any, frame: pl.DataFrame) -> None:
        fields = columns.field_columns(self.state, self.type, rule.leaves | {n.Name("name_en", "text")}, rows.slots)
        frame = frame.with_columns(**fields)
        when, clear, level = rule.polars
        judged = frame.with_columns(when.alias("#when"), clear.alias("#clear"), level.alias("#level"))
        keys = ["value", "observed_at", *sorted({leaf.key for leaf in rule.leaves}), "name_en"]
        keys = list(dict.fromkeys(keys))
        values = judged.select(keys).to_dicts()
        answers = judged.select("#when", "#clear", "#level").rows()
        for i, row in enumerate(values):
            at, slot = row["observed_at"], int(rows.slots[i])
            reading = Reading(at, answers[i][0], answers[i][1], answers[i][2], row)
            before = int(previous[i])
            self._arrives(rule, slot, int(rows.order[i]), reading, None if before == NEVER else moment(before))

    def _arrives(self, rule: CompiledRule, slot: int, order: int, reading: Reading, previous: datetime | None) -> None:
        """A reading in order, for both machines of the rule: its condition, and its absence."""
        entity = self.ids[slot]
        tracked = self.state.of_rule(rule.id).get((entity, "when"), None) or Tracked()
        before = tracked.now
        facts = advance(rule.timing, tracked, reading, previous, rule.rule.lateness)
        self._tell(rule, slot, order, "when", tracked, facts)
        if tracked.now is not before:
            self.state.put(rule.id, entity, "when", tracked)
        self._returned(rule, slot, order, reading.row)

    def _returned(self, rule: CompiledRule, slot: int, order: int, row: Row) -> None:
        """A value is back: the alarm about its absence is over."""
        entity = self.ids[slot]
        tracked = self.state.of_rule(rule.id).get((entity, "absent"))
        if tracked is None or tracked.now.phase == "idle":
            return
        reading = Reading(row["observed_at"], False, True, None, row)
        tracked.now, facts = step(rule.absent_timing, tracked.now, reading, None)
        self._tell(rule, slot, order, "absent", tracked, facts)
        self.state.put(rule.id, entity, "absent", tracked)

    # One by one

    def _one_by_one(self, late: Any, latest: dict[str, pl.Series]) -> None:
        rows = self.rows.where(late)
        known = self.series.by_slot(np.unique(rows.slots))
        histories = {slot: History(self.series.horizon, known.get(slot, ())) for slot in set(rows.slots.tolist())}
        leaves = self.leaves | {n.Name("name_en", "text")}
        beside = pl.DataFrame(
            columns.field_columns(self.state, self.type, leaves, rows.slots)
            | {key: column.filter(pl.Series(late)) for key, column in latest.items()}
        ).to_dicts()
        for i, slot in enumerate(rows.slots.tolist()):
            history, at = histories[slot], int(rows.at[i])
            head = history.head
            history.add(at, float(rows.values[i]))
            for rule in self.rules:
                self._late_arrives(rule, slot, int(rows.order[i]), history, at, beside[i] if beside else {}, head)

    def _late_arrives(
        self, rule: CompiledRule, slot: int, order: int, history: History, at: int, beside: dict[str, Any],
        head: int | None,
    ) -> None:  # fmt: skip
        entity = self.ids[slot]
        tracked = self.state.of_rule(rule.id).get((entity, "when")) or Tracked()
        facts, late = arrive(self.world, rule, tracked, history, at, beside, head)
        self._tell(rule, slot, order, "when", tracked, facts, late=late)
        self.state.put(rule.id, entity, "when", tracked)
        if not late:
            self._returned(rule, slot, order, row_of(self.world, rule.leaves, history, at, beside))

    # Telling

    def _tell(
        self, rule: CompiledRule, slot: int, order: int, cause: str, tracked: Tracked, facts: Any, late: bool = False
    ) -> None:
        if facts:
            self.teller.tell(
                rule, self.ids[slot], cause, tracked, facts, place=(1, order), late=late,
                town=_town(self.state, self.type, slot), readings=lambda: self._readings(slot, order),
            )  # fmt: skip

    def _readings(self, slot: int, order: int) -> Readings:
        """The series as it was known when the row arrived."""
        if self._arrived is None:
            told = np.unique(self.rows.slots)
            self._known = self.series.by_slot(told)
            self._arrived = {}
            for one, at, value, place in zip(
                self.rows.slots.tolist(), self.rows.at.tolist(), self.rows.values.tolist(), self.rows.order.tolist(),
                strict=True,
            ):  # fmt: skip
                self._arrived.setdefault(one, []).append((place, at, value))
        new = [(at, value) for place, at, value in self._arrived.get(slot, ()) if place <= order]
        return _within(self.series, self._known.get(slot, []) + new)


def _within(series: Series, readings: Readings) -> Readings:
    newest = max((at for at, _ in readings), default=0)
    return [(at, value) for at, value in readings if at >= newest - series.horizon]


def _town(state: JudgeState, type: str, slot: int) -> str:
    fields = state.fields[type]
    return str(fields["town"][slot] or "") if "town" in fields.columns else ""


# Time alone


def _ripen(world: World, state: JudgeState, teller: Teller, rule: CompiledRule, series: Series, now: datetime) -> None:
    slots = state.slots[rule.type]
    for (entity, cause), tracked in list(state.of_rule(rule.id).items()):
        slot = slots.get(entity)
        if cause != "when" or slot is None or series.head_at[slot] == NEVER:
            continue
        last = moment(int(series.head_at[slot]))
        facts = pass_time(rule.timing, tracked, last, now)
        if facts:
            _tell_alone(state, teller, rule, series, slot, entity, "when", tracked, facts)
        before = len(tracked.trail), len(tracked.past)
        tracked.prune(last - rule.rule.lateness)
        if facts or before != (len(tracked.trail), len(tracked.past)):
            state.put(rule.id, entity, "when", tracked)


def _absent(world: World, state: JudgeState, teller: Teller, rule: CompiledRule, series: Series, now: datetime) -> None:
    span = (rule.rule.absent or timedelta(0)) // timedelta(microseconds=1)
    silent = (series.head_at > NEVER) & (series.head_at + span <= microseconds(now))
    present = state.present[rule.type]
    silent[: len(present)] &= present
    if not silent.any():
        return
    ids = list(state.slots[rule.type])
    for slot in np.flatnonzero(silent).tolist():
        entity = ids[slot]
        known = state.of_rule(rule.id).get((entity, "absent"))
        if known is not None and known.now.phase != "idle":
            continue
        row = _still_row(world, state, rule, series, slot)
        if not _applies(rule, row):
            continue
        level = _level(rule, row)
        at = moment(int(series.head_at[slot]) + span)
        tracked = known or Tracked()
        reading = Reading(at, True, None, level, row)
        tracked.now, facts = step(rule.absent_timing, tracked.now, reading, None)
        _tell_alone(state, teller, rule, series, slot, entity, "absent", tracked, facts)
        state.put(rule.id, entity, "absent", tracked)


def _still_row(world: World, state: JudgeState, rule: CompiledRule, series: Series, slot: int) -> Row:
    """The last reading of a silent series, as a rule sees it."""
    arrivals = series.by_slot(np.array([slot])).get(slot, [])
    history = History(series.horizon, arrivals)
    leaves = rule.leaves | {n.Name("name_en", "text")}
    beside = pl.DataFrame(columns.field_columns(state, rule.type, leaves, np.array([slot]))).to_dicts()
    return row_of(world, rule.leaves, history, int(series.head_at[slot]), beside[0])


def _applies(rule: CompiledRule, row: Row) -> bool:
    return evaluate_truth(rule.where, row) is True


def _level(rule: CompiledRule, row: Row) -> str | None:
    level = evaluate_reference(rule.level, row)
    return level if isinstance(level, str) else None


def _tell_alone(
    state: JudgeState, teller: Teller, rule: CompiledRule, series: Series, slot: int, entity: str, cause: str,
    tracked: Tracked, facts: Any,
) -> None:  # fmt: skip
    def readings() -> Readings:
        return _within(series, series.by_slot(np.array([slot])).get(slot, []))

    place = (2, facts[0].at)
    teller.tell(rule, entity, cause, tracked, facts, place=place, town=_town(state, rule.type, slot), readings=readings)


def _release(book: RuleBook, world: World, state: JudgeState, teller: Teller) -> None:
    """Latched alarms that a person released since the last judgement."""
    if not state.released:
        return
    by_id = {rule.id: rule for rule in book.rules}
    for rule_id, known in list(state.tracked.items()):
        rule = by_id.get(rule_id)
        for (entity, cause), tracked in list(known.items()):
            episode = tracked.now.episode
            if rule is None or episode is None or episode.id not in state.released:
                continue
            slot = state.slots[rule.type].get(entity)
            tracked.now, facts = release(tracked.now)
            if facts and slot is not None:
                series = state.series[rule.type, rule.prop]
                _tell_alone(state, teller, rule, series, slot, entity, cause, tracked, facts)
            state.put(rule_id, entity, cause, tracked)
            state.touch(ALARM, f"{rule_id}|{entity}|{cause}")
    for id in state.released:
        state.touch(PROMISE, id)
    state.released.clear()
