"""What rules would have said of past days: the stream's own judge over rows of the lake, in the order of event time.

    look = LookBack(RuleBook.of_rules(packs, ids), world)
    look.take(rows)  …  look.end(until)            rows in chunks that follow each other in time
    differences(before.episodes, after.episodes)   alarm by alarm: opened, gone, of another level, at another time

Set-based: conditions of all entities are calculated in columns (stream.py), only rows that matter are stepped one by
one, and silence (`absent`) is found as gaps between rows. What differs from life: readings come in order, the entities
are those of today, and nobody acknowledges, so an alarm of a latched rule is over when its condition is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, Quality
from zhiwan.kernel.judge.engines.reference import evaluate_reference, evaluate_truth
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.rulebook import CompiledRule, Group, RuleBook
from zhiwan.kernel.judge.state import JudgeState
from zhiwan.kernel.judge.stream import judge
from zhiwan.kernel.judge.ticking import tick
from zhiwan.kernel.judge.world import World, microseconds
from zhiwan.kernel.packs.packset import PackSet

DifferenceKind = Literal["opened", "gone", "level", "moved"]
#: Two engines' times of one alarm differ by less; a person calls it the same moment.
SAME = timedelta(seconds=1)


@dataclass(frozen=True)
class PastAlarm:
    """An alarm as a rule would have told it."""

    rule: str
    entity: str
    cause: str  # "when" or "absent"
    opened_at: datetime
    cleared_at: datetime | None
    rank: int  # the highest it reached
    level: str


@dataclass(frozen=True)
class Difference:
    """One alarm that two texts of a rule do not agree on; one side may have none."""

    kind: DifferenceKind
    before: PastAlarm | None
    after: PastAlarm | None

    @property
    def shown(self) -> PastAlarm:
        """The side that there is; after the change where both are."""
        found = self.after or self.before
        if found is None:
            raise AssertionError("a difference has a side")
        return found


def watched_groups(book: RuleBook) -> set[Group]:
    """The properties whose rows a look back needs."""
    return {*book.groups, *book.lookups}


def warm_up(book: RuleBook) -> timedelta:
    """How long before the first day rows are needed, so that windows are full and conditions have had time to last."""
    spans = [
        max(rule.window, rule.rule.lasting + rule.rule.clear_lasting, rule.rule.absent or timedelta(0))
        for rule in book.rules
    ]
    return max(spans, default=timedelta(0)) + timedelta(hours=1)


def as_looked_back(packs: PackSet, ids: Iterable[str]) -> PackSet:
    """Packs for a look back: the rules are not latched, and nothing says since when they are what they are."""
    wanted = set(ids)
    return PackSet(
        pack.model_copy(
            update={
                "rules": [
                    rule.model_copy(update={"latched": False}) if f"{pack.id}.{rule.id}" in wanted else rule
                    for rule in pack.rules
                ]
            }
        )
        for pack in packs.packs
    )


@dataclass
class LookBack:
    """One text of some rules over the rows of a time."""

    book: RuleBook  # RuleBook.of_rules(as_looked_back(packs, ids), ids)
    world: World
    rows: int = 0
    _state: JudgeState = field(default_factory=JudgeState)
    _found: dict[str, PastAlarm] = field(default_factory=dict)
    _silent: list[PastAlarm] = field(default_factory=list)
    _last: dict[Group, pl.DataFrame] = field(default_factory=dict)  # the newest reading of each entity
    _seq: int = 0

    def take(self, rows: pl.DataFrame, now: datetime) -> None:
        """The next rows (OBSERVATION_SCHEMA), all later than those before but for equal instants."""
        good = (pl.col("quality") & int(Quality.RANGE) == 0) & pl.col("value").is_finite()
        # One message an instant: what several things reported at once is one moment to every rule.
        rows = rows.filter(good).sort("observed_at", "entity", "property", "source")
        rows = rows.with_columns(seq=pl.col("observed_at").rle_id().cast(pl.Int64) + self._seq)
        if rows.is_empty():
            return
        self.rows += rows.height
        self._seq = int(rows["seq"].max()) + 1  # type: ignore[arg-type]
        for group, rules in self.book.groups.items():
            if any(rule.rule.absent is not None for rule in rules):
                self._gaps(group, rules, rows)
        self._tell(judge(self.book, self.world, self._state, rows.select(*OBSERVATION_SCHEMA), now).events)
        self._state.mark_saved()

    def end(self, until: datetime, now: datetime) -> None:
        """Nothing more comes: what was pending ripens up to `until`, and who is silent since then is."""
        if self._seq:
            silent = self._silent_at_the_end(until)
            self._tell(tick(_without_absence(self.book), self.world, self._state, until).events)
            self._silent += silent

    @property
    def episodes(self) -> list[PastAlarm]:
        """All alarms so far, in the order of their opening."""
        found = [*self._found.values(), *self._silent]
        return sorted(found, key=lambda one: (one.opened_at, one.rule, one.entity, one.cause))

    def _tell(self, events: Sequence[Any]) -> None:
        for event in events:
            rule = self.book.rule(event.rule)
            if event.state == "withdrawn":
                self._found.pop(event.alarm_id, None)
                continue
            level = next((id for id, one in rule.levels.items() if one.rank == event.peak_rank), event.level)
            self._found[event.alarm_id] = PastAlarm(
                event.rule, event.entity, "when", event.opened_at, event.cleared_at, event.peak_rank, level
            )

    # Silence: gaps between the rows of an entity

    def _gaps(self, group: Group, rules: Iterable[CompiledRule], rows: pl.DataFrame) -> None:
        mine = self._of(group, rows)
        before = self._last.get(group)
        joined = mine if before is None else pl.concat([before, mine])
        joined = joined.sort("entity", "observed_at", maintain_order=True)
        joined = joined.unique(["entity", "observed_at"], keep="last", maintain_order=True)
        pairs = joined.with_columns(next=pl.col("observed_at").shift(-1).over("entity"))
        for rule in rules:
            if (absent := rule.rule.absent) is not None:
                late = pairs.filter((pl.col("next") - pl.col("observed_at")) > absent)
                self._silent += self._absences(rule, absent, late)
        self._last[group] = joined.group_by("entity", maintain_order=True).last()

    def _silent_at_the_end(self, until: datetime) -> list[PastAlarm]:
        found: list[PastAlarm] = []
        for rule in self.book.rules:
            if rule.rule.absent is not None and (last := self._last.get((rule.type, rule.prop))) is not None:
                late = last.filter(pl.col("observed_at") + rule.rule.absent <= until)
                late = late.with_columns(next=pl.lit(None, dtype=late.schema["observed_at"]))
                found += self._absences(rule, rule.rule.absent, late)
        return found

    def _of(self, group: Group, rows: pl.DataFrame) -> pl.DataFrame:
        known = self.world.entities.get(group[0])
        ids = known.select("id") if known is not None else pl.DataFrame(schema={"id": pl.String()})
        mine = rows.filter(pl.col("property") == group[1]).join(ids, left_on="entity", right_on="id", how="semi")
        return mine.select("entity", "observed_at", "value")

    def _absences(self, rule: CompiledRule, absent: timedelta, gaps: pl.DataFrame) -> Iterator[PastAlarm]:
        if gaps.is_empty():
            return
        known = self.world.entities[rule.type].filter(pl.col("id").is_in(gaps["entity"].unique().implode()))
        fields = {row["id"]: row for row in known.iter_rows(named=True)}
        for gap in gaps.iter_rows(named=True):
            opened = gap["observed_at"] + absent
            row = self._row(rule, fields[gap["entity"]], gap, opened)
            if evaluate_truth(rule.where, row) is not True:
                continue
            level = rule.absent_timing.known_level(evaluate_reference(rule.level, row)) or rule.absent_timing.lowest
            rank = rule.levels[level].rank
            yield PastAlarm(rule.id, gap["entity"], "absent", opened, gap["next"], rank, level)

    def _row(self, rule: CompiledRule, fields: dict[str, Any], gap: dict[str, Any], at: datetime) -> dict[str, Any]:
        """What the last reading before the silence lets a rule name; windows and links are not looked up for it."""
        row: dict[str, Any] = {"value": gap["value"], "observed_at": gap["observed_at"]}
        for leaf in n.leaves(rule.where, rule.level):
            if isinstance(leaf, n.Parameter):
                interval = self.world.in_force(leaf.id, microseconds(at))
                row[leaf.key] = interval.in_force.value if interval else None
            elif leaf.key not in row:
                row[leaf.key] = fields.get(leaf.key)
        return row


def _without_absence(book: RuleBook) -> RuleBook:
    """The same rules, whose silence is told by gaps: the ticker must not tell it again."""
    rules = tuple(replace(rule, rule=rule.rule.model_copy(update={"absent": None})) for rule in book.rules)
    return replace(book, rules=rules)


def differences(before: Sequence[PastAlarm], after: Sequence[PastAlarm]) -> list[Difference]:
    """Alarm by alarm, in the order of opening. An alarm that overlaps one of the other text *is* that alarm."""
    found: list[Difference] = []
    keys = {(one.rule, one.entity, one.cause) for one in (*before, *after)}
    told: dict[tuple[str, str, str], tuple[list[PastAlarm], list[PastAlarm]]] = {key: ([], []) for key in keys}
    for place, side in enumerate((before, after)):
        for one in side:
            told[one.rule, one.entity, one.cause][place].append(one)
    for olds, news in told.values():
        found += _compared(sorted(olds, key=_opening), sorted(news, key=_opening))
    return sorted(found, key=lambda one: (one.shown.opened_at, one.shown.rule, one.shown.entity, one.kind))


def _compared(olds: list[PastAlarm], news: list[PastAlarm]) -> Iterator[Difference]:
    place = 0
    for old in olds:
        while place < len(news) and not _overlap(old, news[place]) and news[place].opened_at < old.opened_at:
            yield Difference("opened", None, news[place])
            place += 1
        if place == len(news) or not _overlap(old, news[place]):
            yield Difference("gone", old, None)
            continue
        match, place = news[place], place + 1
        if match.rank != old.rank:
            yield Difference("level", old, match)
        elif not (_at_once(old.opened_at, match.opened_at) and _at_once(old.cleared_at, match.cleared_at)):
            yield Difference("moved", old, match)
    yield from (Difference("opened", None, new) for new in news[place:])


def _opening(one: PastAlarm) -> datetime:
    return one.opened_at


def _overlap(one: PastAlarm, other: PastAlarm) -> bool:
    return (other.cleared_at is None or one.opened_at <= other.cleared_at) and (
        one.cleared_at is None or other.opened_at <= one.cleared_at
    )


def _at_once(one: datetime | None, other: datetime | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) <= SAME
