"""Judging as plainly as it can be said: one message after another, one row after another, nothing in columns.

The law for stream.py: tests feed random streams to both, with random splits and stored states on the one side, and
compare every derived reading and every event. Not for production: it forgets nothing but what the law forgets.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US, Quality
from zhiwan.kernel.judge.events import AlarmEvent
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.late import History, arrive, row_of
from zhiwan.kernel.judge.machine import Reading, step
from zhiwan.kernel.judge.rulebook import CompiledDerive, CompiledRule, RuleBook
from zhiwan.kernel.judge.state import COMPLETES_WITHIN, JudgeState, horizon
from zhiwan.kernel.judge.telling import Teller
from zhiwan.kernel.judge.tracking import Tracked
from zhiwan.kernel.judge.world import World, microseconds, moment

Observation = dict[str, Any]


class PlainJudge:
    """Judges observations given as dicts; keeps everything in Python dicts."""

    def __init__(self, book: RuleBook, world: World, now: datetime) -> None:
        self.book, self.world, self.now = book, world, now
        self.types = {id: type for type, frame in world.entities.items() for id in frame["id"]}
        self.fields = {row["id"]: row for frame in world.entities.values() for row in frame.iter_rows(named=True)}
        self.histories: dict[tuple[str, str], History] = {}
        self.tracked: dict[tuple[str, str, str], Tracked] = {}
        self.instants: dict[tuple[str, str], dict[int, dict[str, float]]] = {}  # step, entity → instant → inputs
        self.derived: list[Observation] = []
        self.events: list[AlarmEvent] = []
        self.teller = Teller(world, JudgeState(), now)
        self.order = 0

    def judge(self, observations: list[Observation]) -> None:
        for _, message in groupby(observations, key=lambda one: one["seq"]):
            rows = [row for row in message if row["entity"] in self.types and not row["quality"] & Quality.RANGE]
            for derive in self.book.derives:
                rows += list(self._derive(derive, rows))
            for row in rows:
                self._row(row)
        self.events += self.teller.events()
        self.teller.told.clear()

    # Derive steps

    def _derive(self, derive: CompiledDerive, rows: list[Observation]) -> Iterator[Observation]:
        of, inputs = derive.derive.of, derive.derive.inputs
        window = derive.derive.window // derive.derive.window.resolution
        mine = [row for row in rows if self.types[row["entity"]] == of and row["property"] in inputs]
        for entity in sorted({row["entity"] for row in mine}):
            known = self.instants.setdefault((derive.id, entity), {})
            before = set(known)
            fresh: dict[int, set[str]] = {}
            for row in mine:
                if row["entity"] == entity:
                    at = microseconds(row["observed_at"])
                    known.setdefault(at, {})[row["property"]] = row["value"]
                    fresh.setdefault(at, set()).add(row["property"])
            oldest = max(known) - COMPLETES_WITHIN // COMPLETES_WITHIN.resolution
            admitted = {at for at, names in fresh.items() if at >= oldest or (not window and names == set(inputs))}
            touched = {at for at in known if any(at == one or one <= at < one + window for one in admitted)}
            if touched:
                yield from self._made(derive, entity, known, touched, before, rows[0]["seq"])

    def _made(
        self, derive: CompiledDerive, entity: str, known: dict[int, dict[str, float]], touched: set[int],
        before: set[int], seq: int,
    ) -> Iterator[Observation]:  # fmt: skip
        one = derive.derive
        readings = pl.DataFrame(
            [
                {"entity": entity, "observed_at": moment(at), **{name: known[at].get(name) for name in one.inputs}}
                for at in sorted(known)
            ],
            schema={"entity": pl.String(), "observed_at": UTC_US} | {name: pl.Float64() for name in one.inputs},
        )  # fmt: skip
        result = derive.function(readings, self.world.parameters.of(derive.pack.id, self.world.region))
        for row in result.sort("observed_at").iter_rows(named=True):
            at = microseconds(row["observed_at"])
            for name in one.outputs if at in touched else ():
                if row[name] is not None:
                    made = {
                        "entity": entity, "property": name, "observed_at": row["observed_at"], "value": row[name],
                        "source": derive.source, "recorded_at": self.now, "seq": seq,
                        "quality": int(Quality.CORRECTION) if at in before else 0,
                    }  # fmt: skip
                    self.derived.append(made)
                    yield made

    # Rules

    def _row(self, row: Observation) -> None:
        entity, prop, at = row["entity"], row["property"], microseconds(row["observed_at"])
        group = (self.types[entity], prop)
        history = self.histories.setdefault((entity, prop), History(horizon(self.book, group)))
        head = history.head
        history.add(at, row["value"])
        self.order += 1
        for rule in self.book.groups.get(group, ()):
            beside = self._beside(rule, entity)
            tracked = self.tracked.setdefault((rule.id, entity, "when"), Tracked())
            facts, late = arrive(self.world, rule, tracked, history, at, beside, head)
            self._tell(rule, entity, "when", tracked, facts, history, late)
            if not late:
                self._returned(rule, entity, history, at, beside)

    def _returned(self, rule: CompiledRule, entity: str, history: History, at: int, beside: dict[str, Any]) -> None:
        tracked = self.tracked.get((rule.id, entity, "absent"))
        if tracked is not None and tracked.now.phase != "idle":
            row = row_of(self.world, rule.leaves, history, at, beside)
            reading = Reading(moment(at), False, True, None, row)
            tracked.now, facts = step(rule.absent_timing, tracked.now, reading, None)
            self._tell(rule, entity, "absent", tracked, facts, history, False)

    def _beside(self, rule: CompiledRule, entity: str) -> dict[str, Any]:
        beside = {"name_en": None} | self.fields[entity]
        for leaf in rule.leaves:
            if isinstance(leaf, n.Latest):
                beside[leaf.key] = self._latest(rule.type, entity, leaf)
        return beside

    def _latest(self, type: str, entity: str, leaf: n.Latest) -> float | None:
        links = self.world.links.filter((pl.col("from_id") == entity) & (pl.col("link") == leaf.link))
        targets = [entity] if leaf.link == "self" else sorted(links["to_id"].to_list())
        best: tuple[int, str] | None = None
        for target in targets:
            history = self.histories.get((target, leaf.prop))
            if history is not None and history.head is not None:
                best = max(best or (history.head, target), (history.head, target))
        return None if best is None else self.histories[best[1], leaf.prop].values[best[0]]

    def _tell(
        self, rule: CompiledRule, entity: str, cause: str, tracked: Tracked, facts: Any, history: History, late: bool
    ) -> None:
        if facts:
            newest = history.times[-1]
            readings = [(at, history.values[at]) for at in history.times if at >= newest - history.horizon]
            self.teller.tell(
                rule, entity, cause, tracked, facts, place=(1, self.order), late=late,
                town=self.fields[entity]["town"], readings=lambda: readings,
            )  # fmt: skip


def frame_of(observations: list[Observation]) -> pl.DataFrame:
    """Observations as the column path wants them."""
    return pl.DataFrame(observations, schema=OBSERVATION_SCHEMA, orient="row")
