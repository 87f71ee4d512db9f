"""Judging a batch: derive steps, then rules, in columns; Python touches only rows that matter.

For each watched property the conditions of all its rules are calculated at once (Polars). A row is *interesting* to a
rule where the condition is true or the rule is not idle at that entity; those rows go through machine.py one by one.
Series with a late reading in the batch go through late.py. Both give what late.py alone would give.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, Quality
from zhiwan.kernel.judge import columns
from zhiwan.kernel.judge.columns import Rows
from zhiwan.kernel.judge.deriving import derive_all
from zhiwan.kernel.judge.events import Judgement
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.late import History, arrive, row_of
from zhiwan.kernel.judge.machine import Fact, Reading, Row, step
from zhiwan.kernel.judge.rulebook import CompiledRule, Group, RuleBook
from zhiwan.kernel.judge.series import NEVER
from zhiwan.kernel.judge.state import JudgeState
from zhiwan.kernel.judge.telling import Readings, Teller
from zhiwan.kernel.judge.ticking import Recall, tell_released
from zhiwan.kernel.judge.tracking import Tracked, advance
from zhiwan.kernel.judge.world import World, moment


def judge(book: RuleBook, world: World, state: JudgeState, batch: pl.DataFrame, now: datetime) -> Judgement:
    """Judges a batch of observations (OBSERVATION_SCHEMA) whose rows stand in the order of the stream.

    A message (one `seq`) must not be split over two batches. Rows flagged RANGE, of unknown entities or of properties
    that nothing judges are passed over. `now` is only written into what is told.
    """
    state.bind(book, world)
    teller = Teller(world, state, now)
    tell_released(book, state, teller)
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


def remember(book: RuleBook, world: World, state: JudgeState, kept: pl.DataFrame) -> None:
    """After a restart: what was read and derived since the series were saved is remembered again, judging nothing.

    `kept` are observations and derived readings of one batch, in order; alarms and pending conditions of that batch
    were saved with it.
    """
    state.bind(book, world)
    for group, found in _by_group(_prepared(book, state, kept)).items():
        if group in state.series:
            state.series[group].append(found.slots, found.at, found.values)


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
        self.recall = Recall(self.series)
        self.ids = state.ids[self.type]
        self.leaves = {leaf for rule in rules for leaf in rule.leaves}
        self._arrived: dict[int, list[tuple[int, int, float]]] | None = None

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
        self, rule: CompiledRule, slot: int, order: int, cause: str, tracked: Tracked, facts: list[Fact],
        late: bool = False,
    ) -> None:  # fmt: skip
        if facts:
            self.recall.of(slot)
            self.teller.tell(
                rule, self.ids[slot], cause, tracked, facts, place=(1, order), late=late,
                town=self.state.towns[self.type][slot], readings=lambda: self._readings(slot, order),
            )  # fmt: skip

    def _readings(self, slot: int, order: int) -> Readings:
        """The series as it was known when the row arrived."""
        if self._arrived is None:
            rows, self._arrived = self.rows, {}
            columns_ = (rows.slots.tolist(), rows.order.tolist(), rows.at.tolist(), rows.values.tolist())
            for one, place, at, value in zip(*columns_, strict=True):
                self._arrived.setdefault(one, []).append((place, at, value))
        new = [(at, value) for place, at, value in self._arrived.get(slot, ()) if place <= order]
        return self.recall.within(self.recall.known(slot) + new)
