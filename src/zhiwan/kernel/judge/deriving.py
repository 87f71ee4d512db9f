"""Derive steps: functions of packs turn readings into readings, which the rules of the same batch then see.

A message that brings inputs of an instant makes the outputs of that instant anew, from all inputs known so far; where
outputs were made before, these correct them (flag CORRECTION). A step with a window sees all inputs of the span before
an instant, and a late input makes all outputs anew whose span it falls into.

To give the same for every split into batches, messages that touch what earlier ones of the batch touched go in later
*rounds*; a stream in order needs one round, which is one call of the function for all entities.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US, Quality
from zhiwan.kernel.judge.events import Problem
from zhiwan.kernel.judge.rulebook import CompiledDerive, RuleBook
from zhiwan.kernel.judge.series import Slots
from zhiwan.kernel.judge.state import COMPLETES_WITHIN, JudgeState
from zhiwan.kernel.judge.world import Instants, Numbers, World

_COMPLETES = COMPLETES_WITHIN // (COMPLETES_WITHIN.resolution)
_MADE = {
    "slot": pl.Int64(), "at": pl.Int64(), "property": pl.String(), "value": pl.Float64(), "seq": pl.Int64(),
    "message": pl.Int64(), "again": pl.Boolean(), "output": pl.Int64(),
}  # fmt: skip


def derive_all(
    book: RuleBook, world: World, state: JudgeState, rows: pl.DataFrame, now: datetime
) -> tuple[pl.DataFrame, pl.DataFrame, list[Problem]]:
    """All derive steps over the prepared rows of a batch.

    Gives the derived observations, the rows with the derived ones in their places, and what failed.
    """
    derived: list[pl.DataFrame] = []
    problems: list[Problem] = []
    rows = rows.with_columns(stage=pl.lit(-1, dtype=pl.Int64()))
    for stage, step in enumerate(book.derives):
        wanted = (pl.col("type") == step.derive.of) & pl.col("property").is_in(list(step.derive.inputs))
        inputs = rows.filter(wanted)
        if inputs.is_empty():
            continue
        try:
            made = _Step(step, world, state, inputs).run()
        except _StepFailed as failed:
            problems.append(Problem(step.id, str(failed)))
            continue
        if made.is_empty():
            continue
        ids = pl.Series("entity", state.ids[step.derive.of], dtype=pl.String())
        made = made.with_columns(entity=ids.gather(made["slot"]), type=pl.lit(step.derive.of))
        made = made.sort("message", "entity", "at", "output")
        derived.append(_observations(made, step.source, now).with_columns(message=made["message"], stage=stage))
        placed = made.with_columns(stage=pl.lit(stage, dtype=pl.Int64())).select(rows.columns)
        rows = pl.concat([rows, placed])
        rows = rows.sort("message", "stage", maintain_order=True)
    if not derived:
        return pl.DataFrame(schema=OBSERVATION_SCHEMA), rows, problems
    told = pl.concat(derived).sort("message", "stage", maintain_order=True).select(*OBSERVATION_SCHEMA)
    known = pl.DataFrame(
        sorted({*book.groups, *book.lookups, *book.derive_inputs}),
        schema={"type": pl.String(), "property": pl.String()}, orient="row",
    )  # fmt: skip
    return told, rows.join(known, on=["type", "property"], how="semi", maintain_order="left"), problems


def _observations(made: pl.DataFrame, source: str, now: datetime) -> pl.DataFrame:
    return made.select(
        "entity",
        "property",
        pl.col("at").cast(UTC_US).alias("observed_at"),
        "value",
        pl.lit(source).alias("source"),
        pl.lit(now).cast(UTC_US).alias("recorded_at"),
        pl.when("again").then(int(Quality.CORRECTION)).otherwise(0).cast(pl.Int32).alias("quality"),
        "seq",
    )


class _Step:
    """One derive step over its input rows of a batch: slot, property, at, value, seq, message."""

    def __init__(self, step: CompiledDerive, world: World, state: JudgeState, inputs: pl.DataFrame) -> None:
        self.step, self.inputs = step, inputs
        self.names = list(step.derive.inputs)
        self.outputs = list(step.derive.outputs)
        self.window = step.derive.window // step.derive.window.resolution
        self.series = {name: state.series[step.derive.of, name] for name in self.names}
        self.ids = pl.Series("entity", state.ids[step.derive.of], dtype=pl.String())
        self.parameters = world.parameters.of(step.pack.id, world.region)

    def run(self) -> pl.DataFrame:
        heads = self._heads()
        self.inputs = self.inputs.join(heads, on=["slot", "message"], how="left", maintain_order="left")
        known = self._remembered()
        made = []
        rounds = self._rounds()
        for number in np.unique(rounds):
            fresh = self.inputs.filter(pl.Series(rounds == number))
            before = known
            known = pl.concat([known, fresh.select("slot", "at", "property", "value")])
            known = known.unique(["slot", "at", "property"], keep="last", maintain_order=True)
            touched = self._touched(fresh, known)
            if not touched.is_empty():
                made.append(self._call(known, before, touched))
        return pl.concat(made) if made else pl.DataFrame(schema=_MADE)

    def _heads(self) -> pl.DataFrame:
        """The newest input instant of each entity as of each message: slot, message, head."""
        batch = self.inputs.group_by("slot", "message").agg(pl.col("at").max().alias("head")).sort("slot", "message")
        slots = batch["slot"].to_numpy()
        stored = pl.Series(self._stored(slots))
        return batch.with_columns(pl.max_horizontal(pl.col("head").cum_max().over("slot"), stored).alias("head"))

    def _remembered(self) -> pl.DataFrame:
        """Inputs of earlier batches that this one can meet."""
        slots = self.inputs["slot"].to_numpy()
        if not self.window:
            # Only entities whose inputs here are not all newer than everything before can meet an instant again.
            slots = slots[self.inputs["at"].to_numpy() <= self._stored(slots)]
        parts = [pl.DataFrame(schema={k: _MADE[k] for k in ("slot", "at", "property", "value")})]
        for name, series in self.series.items():
            if len(slots):
                arrivals = series.arrivals(slots).with_columns(property=pl.lit(name))
                parts.append(arrivals.select("slot", "at", "property", "value"))
        return pl.concat(parts).unique(["slot", "at", "property"], keep="last", maintain_order=True)

    def _rounds(self) -> Numbers:
        """For each input row its round: within one, nothing that a message touches was touched before."""
        if not self.window:
            return self.inputs.select(pl.col("message").rank("dense").over("slot", "at")).to_series().to_numpy() - 1
        spans = self.inputs.group_by("slot", "message").agg(
            pl.col("at").min().alias("a"), pl.col("at").max().alias("z")
        )
        spans = spans.sort("slot", "message")
        stored = pl.Series(self._stored(spans["slot"].to_numpy()))
        newest = pl.max_horizontal(pl.col("z").cum_max().shift(1).over("slot"), stored)
        spans = spans.with_columns(late=(pl.col("a") <= newest).cast(pl.Int64))
        spans = spans.with_columns(r=pl.col("late").cum_sum().over("slot"))
        return self.inputs.join(spans, on=["slot", "message"], how="left", maintain_order="left")["r"].to_numpy()

    def _stored(self, slots: Slots) -> Instants:
        """The newest input instant of earlier batches."""
        newest: Instants = np.maximum.reduce([series.head_at[slots] for series in self.series.values()])
        return newest

    def _touched(self, fresh: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
        """Instants to make anew: slot, at, seq, message (the last message of the round that touches them)."""
        columns = ["slot", "at", "seq", "message", "head"]
        # Long-past instants are made anew only from a message that is complete: what else was known is forgotten.
        complete = pl.col("property").n_unique().over("slot", "at", "message") == len(self.names)
        recent = pl.col("at") >= pl.col("head") - _COMPLETES
        admitted = fresh.filter(recent | (complete & (self.window == 0))).select(columns)
        if self.window:
            instants = known.select("slot", pl.col("at").alias("later")).unique()
            span = (pl.col("later") >= pl.col("at")) & (pl.col("later") < pl.col("at") + self.window)
            admitted = admitted.join(instants, on="slot").filter(span).with_columns(at=pl.col("later")).select(columns)
        return admitted.sort("message").unique(["slot", "at"], keep="last", maintain_order=True)

    def _call(self, known: pl.DataFrame, before: pl.DataFrame, touched: pl.DataFrame) -> pl.DataFrame:
        if self.window:
            reach = touched.group_by("slot").agg(
                (pl.col("at").min() - self.window).alias("from"), pl.col("at").max().alias("to")
            )
            near = known.join(reach, on="slot").filter((pl.col("at") > pl.col("from")) & (pl.col("at") <= pl.col("to")))
        else:
            near = known.join(touched.select("slot", "at"), on=["slot", "at"], how="semi")
        wide = near.group_by("slot", "at").agg(
            pl.col("value").filter(pl.col("property") == name).last().alias(name) for name in self.names
        )
        wide = wide.sort("slot", "at")
        readings = wide.select(
            self.ids.gather(wide["slot"]), pl.col("at").cast(UTC_US).alias("observed_at"), *self.names
        )
        result = self._result(readings)
        slots = pl.DataFrame({"entity": self.ids, "slot": range(len(self.ids))}, schema_overrides={"slot": pl.Int64})
        made = result.join(slots, on="entity")
        known_before = before.select("slot", "at").unique().with_columns(again=pl.lit(True))
        long = (
            made.join(touched.select("slot", "at", "seq", "message"), on=["slot", "at"])
            .join(known_before, on=["slot", "at"], how="left")
            .unpivot(self.outputs, index=["slot", "at", "seq", "message", "again"], variable_name="property")
            .filter(pl.col("value").is_finite())
        )
        order = {name: place for place, name in enumerate(self.outputs)}
        return long.select(
            "slot", "at", "property", "value", "seq", "message", pl.col("again").fill_null(False),
            pl.col("property").replace_strict(order, return_dtype=pl.Int64).alias("output"),
        )  # fmt: skip

    def _result(self, readings: pl.DataFrame) -> pl.DataFrame:
        try:
            return self.step.function(readings, self.parameters).select(
                "entity",
                pl.col("observed_at").cast(UTC_US).cast(pl.Int64).alias("at"),
                *(pl.col(name).cast(pl.Float64) for name in self.outputs),
            )
        except Exception as error:  # pack code: one broken step must not stop the judging of a city
            raise _StepFailed(f"{type(error).__name__}: {error}") from error


class _StepFailed(Exception):
    """The function of a pack raised, or gave another shape than it declares."""
