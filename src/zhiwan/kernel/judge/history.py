"""Derive steps over imported history: the same functions as in the stream, without rules, alarms or remembered state.

History comes in chunks that follow each other in time for each entity, so a step with a window needs only the tail
of the chunk before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US, Quality, empty_observations
from zhiwan.kernel.judge.rulebook import CompiledDerive, RuleBook
from zhiwan.kernel.packs.parameters import ParameterBook

_KEY = ["entity", "observed_at"]


@dataclass
class HistoryDeriver:
    """Derives one source's history, chunk after chunk."""

    book: RuleBook
    parameters: ParameterBook
    region: str
    type: str  # all entities of a source are of one type
    _tails: dict[str, pl.DataFrame] = field(default_factory=dict)

    def derive(self, chunk: pl.DataFrame, *, recorded_at: datetime) -> pl.DataFrame:
        """Derived observations of a chunk (OBSERVATION_SCHEMA). Flagged RANGE and missing values are no inputs."""
        good = chunk.filter((pl.col("quality") & int(Quality.RANGE) == 0) & pl.col("value").is_finite())
        known = good.select(*_KEY, "property", "value")
        derived = [empty_observations()]
        for step in self.book.derives:
            if step.derive.of != self.type:
                continue
            made = self._step(step, known)
            known = pl.concat([known, made])
            derived.append(_observations(made, step.source, recorded_at))
        return pl.concat(derived)

    def _step(self, step: CompiledDerive, known: pl.DataFrame) -> pl.DataFrame:
        names, outputs = list(step.derive.inputs), list(step.derive.outputs)
        fresh = known.filter(pl.col("property").is_in(names))
        if fresh.is_empty():
            return known.clear()
        inputs = fresh
        if step.derive.window > timedelta(0):
            inputs = pl.concat([self._tails.get(step.id, fresh.clear()), fresh])
            self._tails[step.id] = inputs.filter(
                pl.col("observed_at") > pl.col("observed_at").max().over("entity") - step.derive.window
            )
        wide = inputs.group_by(_KEY).agg(
            pl.col("value").filter(pl.col("property") == name).last().alias(name) for name in names
        )
        made = step.function(wide.sort(_KEY), self.parameters.of(step.pack.id, self.region))
        instants = fresh.select(_KEY).unique()
        return (
            made.with_columns(pl.col("observed_at").cast(UTC_US))
            .join(instants, on=_KEY, how="semi")
            .unpivot(outputs, index=_KEY, variable_name="property")
            .with_columns(pl.col("value").cast(pl.Float64))
            .filter(pl.col("value").is_finite())
            .select(known.columns)
        )


def _observations(made: pl.DataFrame, source: str, recorded_at: datetime) -> pl.DataFrame:
    constant: Mapping[str, pl.Expr] = {
        "source": pl.lit(source),
        "recorded_at": pl.lit(recorded_at),
        "quality": pl.lit(0),
        "seq": pl.lit(0),
    }
    rows = made.with_columns(**constant)
    return rows.select(pl.col(name).cast(dtype) for name, dtype in OBSERVATION_SCHEMA.items())
