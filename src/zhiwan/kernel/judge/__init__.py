"""Judging: expressions, rules with their state, derive steps, indicators, and judging again with another engine.

    parse(text, scope) → Expr                       evaluate_reference · to_polars · to_duckdb
    RuleBook.compile(packs)                         everything parsed and checked once
    judge(book, world, state, batch, now)           a batch of readings → derived readings and alarm events
    tick(book, world, state, now)                   what time alone brings
    compute_indicators(book, world, latest, now)    vital signs per area
    recompute(book, rule, entity, …, engine=…)      the same alarm from lake rows by another engine (复核)

The result of judging is a function of the order of the stream alone: any split into batches, with the state stored and
loaded at any point, gives the same derived readings and the same events.
"""

from __future__ import annotations

from zhiwan.kernel.judge.engines.duckdb import to_duckdb
from zhiwan.kernel.judge.engines.polars import to_polars
from zhiwan.kernel.judge.engines.reference import evaluate_reference
from zhiwan.kernel.judge.errors import ExpressionRefused, RuleRefused
from zhiwan.kernel.judge.events import AlarmEvent, Judgement, Problem
from zhiwan.kernel.judge.expressions.nodes import Expr
from zhiwan.kernel.judge.expressions.parse import parse
from zhiwan.kernel.judge.expressions.scope import Known, Scope
from zhiwan.kernel.judge.indicators import INDICATOR_SCHEMA, compute_indicators
from zhiwan.kernel.judge.recompute import Recomputed, recompute
from zhiwan.kernel.judge.rulebook import DERIVED_SOURCE, RuleBook
from zhiwan.kernel.judge.state import JudgeState, StateRow
from zhiwan.kernel.judge.stream import judge, remember
from zhiwan.kernel.judge.ticking import tick
from zhiwan.kernel.judge.world import World

__all__ = [
    "DERIVED_SOURCE",
    "INDICATOR_SCHEMA",
    "AlarmEvent",
    "Expr",
    "ExpressionRefused",
    "JudgeState",
    "Judgement",
    "Known",
    "Problem",
    "Recomputed",
    "RuleBook",
    "RuleRefused",
    "Scope",
    "StateRow",
    "World",
    "compute_indicators",
    "evaluate_reference",
    "judge",
    "parse",
    "recompute",
    "remember",
    "tick",
    "to_duckdb",
    "to_polars",
]
