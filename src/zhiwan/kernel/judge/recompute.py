"""复核: the same alarm again, from rows of the lake and by an engine of choice.

The engine calculates the conditions; what it is given (previous, windows, parameters in force) is calculated here in
plain Python, and the alarm is the same fold over readings as in the stream. Rows come with their corrections: the last
recorded one of an instant holds, so the result is what the rule says of what is known *now*. A rule that changed in
between judges each reading by the text of its time, as the stream did.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import duckdb
import polars as pl

from zhiwan.kernel.facts.observations import Quality
from zhiwan.kernel.judge.engines.duckdb import to_duckdb
from zhiwan.kernel.judge.engines.polars import DTYPES, to_polars
from zhiwan.kernel.judge.engines.reference import evaluate_reference
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.late import History, row_of
from zhiwan.kernel.judge.machine import Episode, Fact, Reading, Row, Snapshot, ripen, step
from zhiwan.kernel.judge.rulebook import CompiledRule, RuleBook
from zhiwan.kernel.judge.world import World, microseconds
from zhiwan.kernel.packs.parameters import ParameterBook

Engine = Literal["reference", "polars", "duckdb"]
#: From this moment on the rule had another text: that of this book, with these parameters.
Change = tuple[datetime, RuleBook, ParameterBook]
_FOREVER = 2**60


@dataclass(frozen=True)
class Recomputed:
    """What one engine makes of the rows: the alarm at (or nearest before) the moment asked for, or none."""

    engine: Engine
    opened_at: datetime | None
    cleared_at: datetime | None
    levels: list[tuple[datetime, str]]  # each change of level, with its time
    rows: int  # readings that were judged
    alarms: list[tuple[datetime, datetime | None]]  # all alarms in these rows


def recompute(
    book: RuleBook, rule_id: str, entity: Mapping[str, Any], observations: pl.DataFrame, *, engine: Engine,
    parameters: ParameterBook, region: str = "CN", at: datetime | None = None, until: datetime | None = None,
    linked: Mapping[str, pl.DataFrame] | None = None, changes: Sequence[Change] = (),
) -> Recomputed:  # fmt: skip
    """Judges the rows of one entity's watched property again.

    `entity` has its fields and name, as in World.entities. `observations` are lake rows (observed_at, value,
    recorded_at and quality where known) from well before the alarm. `at` picks the alarm, by any moment of it; without
    it the last one is told. `until` lets a pending condition ripen. `linked` brings rows for latest(link.property), by
    that text. `changes` are later texts of the rule, earliest first. Raises RuleRefused for a rule that no pack
    declares.
    """
    texts = [_Text(book.rule(rule_id), World({}, parameters, region=region))]
    texts += [_Text(after.rule(rule_id), World({}, values, region=region), since) for since, after, values in changes]
    history = _history(observations)
    others = {key: _history(frame) for key, frame in (linked or {}).items()}
    readings: list[Reading] = []
    facts, now, previous = list[Fact](), Snapshot(), None
    for text, instants in _by_text(texts, history.times):
        rows = _rows(text.rule, text.world, entity, history, instants, others)
        judged = _judged(text.rule, rows, engine)
        now, previous, found = _fold(text.rule, now, previous, judged)
        readings += judged
        facts += found
    if until is not None and previous is not None:
        facts += ripen(texts[-1].rule.timing, now, previous, until)[1]
    episodes = _episodes(facts)
    chosen = _chosen(episodes, at)
    levels = [] if chosen is None else _levels(facts, chosen)
    return Recomputed(
        engine, chosen.opened_at if chosen else None, chosen.cleared_at if chosen else None, levels, len(readings),
        [(one.opened_at, one.cleared_at) for one in episodes],
    )  # fmt: skip


@dataclass(frozen=True)
class _Text:
    """A rule as it was written from a moment on."""

    rule: CompiledRule
    world: World
    since: datetime | None = None


def _by_text(texts: Sequence[_Text], times: Sequence[int]) -> Iterator[tuple[_Text, Sequence[int]]]:
    """Each text with the instants it judges."""
    edges = [0, *(bisect.bisect_left(times, microseconds(one.since)) for one in texts if one.since), len(times)]
    for number, text in enumerate(texts):
        yield text, times[edges[number] : edges[number + 1]]


def _rows(
    rule: CompiledRule, world: World, entity: Mapping[str, Any], history: History, times: Sequence[int],
    others: Mapping[str, History],
) -> list[Row]:  # fmt: skip
    found = []
    for at in times:
        beside = dict(entity)
        for key, other in others.items():
            place = bisect.bisect_right(other.times, at)
            beside[key] = other.values[other.times[place - 1]] if place else None
        found.append(row_of(world, rule.leaves, history, at, beside))
    return found


def _history(rows: pl.DataFrame) -> History:
    if "quality" in rows.columns:
        rows = rows.filter(pl.col("quality") & int(Quality.RANGE) == 0)
    rows = rows.filter(pl.col("value").is_finite())
    rows = rows.sort(["observed_at", *(["recorded_at"] if "recorded_at" in rows.columns else [])], maintain_order=True)
    pairs = rows.select(pl.col("observed_at").dt.timestamp("us"), "value").iter_rows()
    return History(_FOREVER, pairs)


def _judged(rule: CompiledRule, rows: list[Row], engine: Engine) -> list[Reading]:
    exprs = (rule.when, rule.clear, rule.level)
    if engine == "reference":
        answers: list[tuple[Any, ...]] = [tuple(evaluate_reference(expr, row) for expr in exprs) for row in rows]
    else:
        leaves = n.leaves(*exprs)
        schema: dict[str, pl.DataType] = {"observed_at": DTYPES["time"]} | {
            leaf.key: DTYPES[leaf.kind] for leaf in leaves
        }
        frame = pl.DataFrame([{key: row.get(key) for key in schema} for row in rows], schema=schema, orient="row")
        answers = _by_polars(exprs, frame) if engine == "polars" else _by_duckdb(exprs, frame)
    return [
        Reading(row["observed_at"], when, clear, level, row)
        for row, (when, clear, level) in zip(rows, answers, strict=True)
    ]


def _by_polars(exprs: tuple[n.Expr, ...], frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    names = [f"#{i}" for i in range(len(exprs))]
    judged = frame.with_columns(to_polars(expr).alias(name) for name, expr in zip(names, exprs, strict=True))
    return judged.select(names).rows()


def _by_duckdb(exprs: tuple[n.Expr, ...], frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    columns = ", ".join(to_duckdb(expr) for expr in exprs)
    with duckdb.connect(config={"threads": 1, "autoload_known_extensions": False}) as connection:
        connection.register("readings", frame.with_row_index("#order").to_arrow())
        # The text comes from our tree only, with quoted names: expressions/, never from a pack as it is written.
        return connection.sql(f'SELECT {columns} FROM readings ORDER BY "#order"').fetchall()  # noqa: S608


def _fold(
    rule: CompiledRule, now: Snapshot, previous: datetime | None, readings: list[Reading]
) -> tuple[Snapshot, datetime | None, list[Fact]]:
    facts: list[Fact] = []
    for reading in readings:
        now, found = step(rule.timing, now, reading, previous)
        facts += found
        previous = reading.at
    return now, previous, facts


def _episodes(facts: list[Fact]) -> list[Episode]:
    """Each alarm as it stands in the end. A latched alarm that went quiet is over when it went quiet."""
    last: dict[datetime, Episode] = {}
    for fact in facts:
        last[fact.episode.opened_at] = fact.episode
    return list(last.values())


def _chosen(episodes: list[Episode], at: datetime | None) -> Episode | None:
    if not episodes or at is None:
        return episodes[-1] if episodes else None
    moment = microseconds(at.astimezone(UTC))
    for one in episodes:
        end = _FOREVER if one.cleared_at is None else microseconds(one.cleared_at)
        if microseconds(one.opened_at) <= moment <= end:
            return one
    return None


def _levels(facts: list[Fact], chosen: Episode) -> list[tuple[datetime, str]]:
    mine = [fact for fact in facts if fact.episode.opened_at == chosen.opened_at]
    return [(fact.at, fact.episode.level) for fact in mine if fact.kind in ("opened", "raised", "lowered", "active")]
