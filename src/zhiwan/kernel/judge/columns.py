"""The values that come with a row, as columns: one frame per watched property, named by leaf keys.

`Rows` are the readings of one group in the order of the stream. `previous`, windows and parameters are calculated for
rows that arrive in order; series with late rows go through late.py, which reads the same meaning row by row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.judge.engines.polars import DTYPES
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.rulebook import Group, RuleBook
from zhiwan.kernel.judge.series import NEVER, Series, Slots
from zhiwan.kernel.judge.state import JudgeState
from zhiwan.kernel.judge.world import Instants, Numbers, World


@dataclass(frozen=True)
class Rows:
    """Readings of one group: entity slots, event time (µs), value, and their place in the whole batch."""

    slots: Slots
    at: Instants
    values: Numbers
    order: npt.NDArray[np.int64]

    def where(self, mask: npt.NDArray[np.bool_]) -> Rows:
        return Rows(self.slots[mask], self.at[mask], self.values[mask], self.order[mask])


def neighbours(series: Series, rows: Rows) -> tuple[Instants, Numbers, npt.NDArray[np.bool_]]:
    """Time and value of the arrival before each row of its series, and which rows' series has a late row here."""
    by_slot = np.argsort(rows.slots, kind="stable")
    slots, at = rows.slots[by_slot], rows.at[by_slot]
    first = np.append(True, slots[1:] != slots[:-1])
    before_at = np.where(first, series.head_at[slots], np.append(0, at[:-1]))
    values = rows.values[by_slot]
    before_value = np.where(first, series.head_value[slots], np.append(0.0, values[:-1]))
    late_slots = np.unique(slots[at <= before_at])
    previous_at, previous_value = np.empty_like(at), np.empty_like(values)
    previous_at[by_slot], previous_value[by_slot] = before_at, before_value
    return previous_at, previous_value, np.isin(rows.slots, late_slots)


def number_column(values: Numbers) -> pl.Series:
    """NaN of numpy becomes missing."""
    return pl.Series(values, nan_to_null=True)


def base_columns(rows: Rows) -> dict[str, pl.Series]:
    return {"value": pl.Series(rows.values), "observed_at": pl.Series(rows.at).cast(UTC_US)}


def field_columns(state: JudgeState, type: str, leaves: Iterable[n.Leaf], slots: Slots) -> dict[str, pl.Series]:
    """Fields of the entities, by slot."""
    frame = state.fields[type]
    found: dict[str, pl.Series] = {}
    for leaf in leaves:
        if isinstance(leaf, n.Name) and leaf.key not in ("value", "observed_at"):
            if leaf.key in frame.columns:
                found[leaf.key] = frame[leaf.key].gather(slots).cast(DTYPES[leaf.kind], strict=False)
            else:
                found[leaf.key] = pl.Series([None] * len(slots), dtype=DTYPES[leaf.kind])
    return found


def parameter_columns(world: World, leaves: Iterable[n.Leaf], at: Instants) -> dict[str, pl.Series]:
    """Parameters in force at the time of each row."""
    used = {leaf for leaf in leaves if isinstance(leaf, n.Parameter)}
    return {leaf.key: number_column(world.parameter_values(leaf.id, at)) for leaf in used}


def window_columns(series: Series, leaves: Iterable[n.Leaf], rows: Rows) -> dict[str, pl.Series]:
    """Windows over the remembered readings and these, which must be in order per series."""
    windows = {leaf for leaf in leaves if isinstance(leaf, n.Window)}
    if not windows or not len(rows.slots):
        return {leaf.key: pl.Series([], dtype=pl.Float64()) for leaf in windows}
    # Only what a window of this batch can reach is looked at: the cost is that of the windows, not of the memory.
    reach = max(leaf.seconds for leaf in windows) * 1_000_000
    known = series.arrivals(np.unique(rows.slots), after=int(rows.at.min()) - reach)
    slots = np.concatenate([known["slot"].to_numpy(), rows.slots])
    at = np.concatenate([known["at"].to_numpy(), rows.at])
    values = np.concatenate([known["value"].to_numpy(), rows.values])
    row = np.concatenate([np.full(known.height, -1), np.arange(len(rows.slots))])
    order = np.lexsort((at, slots))  # stable: of two arrivals for one instant the later one is last, and holds
    holds = np.append((np.diff(slots[order]) != 0) | (np.diff(at[order]) != 0), True)
    slots, at, values, row = (column[order[holds]] for column in (slots, at, values, row))
    asked = np.flatnonzero(row >= 0)
    place = row[asked]
    # One sortable key of slot and time: all windows of a span start where one search says.
    base = at - at.min()
    width = int(base.max()) + 40 * 86_400_000_000
    dense = np.cumsum(np.append(0, np.diff(slots) != 0))
    key = dense * width + base
    first = np.searchsorted(slots, slots[asked], side="left")
    found = {}
    for leaf in windows:
        starts = np.searchsorted(key, key[asked] - leaf.seconds * 1_000_000, side="right")
        result = np.empty(len(rows.slots))
        result[place] = _over(leaf.function, values, np.maximum(starts, first), asked + 1)
        found[leaf.key] = number_column(result)
    return found


def over_window(function: n.WindowFunction, values: list[float]) -> float | None:
    """The law of windows. Sums are exact before the one rounding, so no engine or order can differ."""
    match function:
        case "count":
            return float(len(values))
        case "min":
            return min(values)
        case "max":
            return max(values)
    try:
        total = math.fsum(values)
    except OverflowError:
        return None
    result = total / len(values) if function == "mean" else total
    return result if math.isfinite(result) else None


_LONGEST_TOGETHER = 64  # values of a window that are added column by column; longer ones one window at a time


def window_sums(values: Numbers, starts: Slots, ends: Slots) -> Numbers:
    """The sum of values[start:end] of each window as math.fsum gives it: exact before the one rounding.

    All windows together, a value at a time, with the errors kept (two-sum, Dekker/Knuth). Where what was left out
    could change the rounding, and in long windows, fsum itself is asked.
    """
    counts = ends - starts
    longest = int(counts.max(initial=0))
    high, low, lost = np.zeros(len(starts)), np.zeros(len(starts)), np.zeros(len(starts))
    with np.errstate(all="ignore"):
        for place in range(min(longest, _LONGEST_TOGETHER)):
            value = np.where(place < counts, values[np.minimum(starts + place, len(values) - 1)], 0.0)
            high, error = _two_sum(high, value)
            low, error = _two_sum(low, error)
            lost += np.abs(error)
        found, rest = _two_sum(high, low)
        size = np.abs(found)
        half = np.minimum(np.spacing(size), size - np.nextafter(size, 0)) / 2
        sure = (counts <= _LONGEST_TOGETHER) & np.isfinite(found) & ((lost == 0) | (np.abs(rest) + 2 * lost < half))
    for window in np.flatnonzero(~sure).tolist():
        found[window] = _fsum(values[starts[window] : ends[window]].tolist())
    return found


def _two_sum(a: Numbers, b: Numbers) -> tuple[Numbers, Numbers]:
    """The rounded sum and exactly what rounding left out."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _fsum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return math.nan


def _over(function: n.WindowFunction, values: Numbers, starts: Slots, ends: Slots) -> Numbers:
    if function == "count":
        return (ends - starts).astype(np.float64)
    if function in ("min", "max"):
        pairs = np.stack([starts, ends], axis=1).ravel()
        reduce = np.minimum if function == "min" else np.maximum
        found: Numbers = reduce.reduceat(np.append(values, values[-1]), pairs)[::2]
        return found
    sums = window_sums(values, starts, ends)
    result = sums / (ends - starts) if function == "mean" else sums
    return np.where(np.isfinite(result), result, np.nan)


def latest_columns(
    book: RuleBook, world: World, state: JudgeState, type: str, leaves: Iterable[n.Leaf], rows: Rows,
    batch: Mapping[Group, Rows],
) -> dict[str, pl.Series]:  # fmt: skip
    """latest(link.property) as it was known when each row arrived, the row itself included."""
    found = {}
    for leaf in {leaf for leaf in leaves if isinstance(leaf, n.Latest)}:
        group = book.target(type, leaf)
        if leaf.link == "self":
            found[leaf.key] = _own_latest(state.series[group], batch.get(group), rows)
            continue
        pairs = _pairs(world, state, type, leaf.link, group[0])
        versions = _versions(state.series[group], pairs, batch.get(group))
        mine = pl.DataFrame({"from": rows.slots, "order": rows.order})
        joined = mine.join_asof(versions, on="order", by="from", strategy="backward", check_sortedness=False)
        found[leaf.key] = joined["value"].cast(pl.Float64)
    return found


def _own_latest(series: Series, arrived: Rows | None, rows: Rows) -> pl.Series:
    """The newest value of another property of the same entity, as it was known when each row arrived."""
    values = np.where(series.head_at[rows.slots] > NEVER, series.head_value[rows.slots], np.nan)
    if arrived is None or not len(arrived.slots):
        return number_column(values)
    by_slot = np.argsort(arrived.slots, kind="stable")  # rows stand in the order of the stream
    slots, at, order = arrived.slots[by_slot], arrived.at[by_slot], arrived.order[by_slot]
    first = np.append(True, slots[1:] != slots[:-1])
    # What arrives holds if nothing newer was known, in this batch or before it.
    low = int(at.min())
    newest = np.maximum(at, np.maximum(series.head_at[slots], low)) - low
    lift = (np.cumsum(first) - 1) * (int(newest.max()) + 1)
    holds = at - low + lift >= np.maximum.accumulate(newest + lift)
    places = np.arange(len(slots))
    begin = np.maximum.accumulate(np.where(first, places, 0))
    last = np.maximum.accumulate(np.where(holds, places, -1))
    # The place of the last arrival at or before each asked row, by slot and order.
    width = int(max(order.max(), rows.order.max())) + 1
    asked = np.searchsorted(slots * width + order, rows.slots * width + rows.order, side="right") - 1
    here = (asked >= 0) & (slots[asked] == rows.slots)
    holding = last[asked]
    found = here & (holding >= begin[asked])
    return number_column(np.where(found, arrived.values[by_slot][holding], values))


def _pairs(world: World, state: JudgeState, type: str, link: str, target: str) -> pl.DataFrame:
    """Slots of linked entities: from, to, and a rank of the target that decides between equal times."""
    here, there = state.slots[type], state.slots[target]
    links = world.links.filter(pl.col("link") == link).select("from_id", "to_id").iter_rows()
    known = sorted((to, start) for start, to in links if start in here and to in there)
    rows = [(here[start], there[to], rank) for rank, (to, start) in enumerate(known)]
    return pl.DataFrame(rows, schema={"from": pl.Int64(), "to": pl.Int64(), "tie": pl.Int64()}, orient="row")


def _versions(series: Series, pairs: pl.DataFrame, arrived: Rows | None) -> pl.DataFrame:
    """For each entity, from which place in the batch on which value was the newest one: from, order, value."""
    heads = pl.DataFrame({"to": np.arange(len(series.head_at)), "at": series.head_at, "value": series.head_value})
    known = heads.filter(pl.col("at") > NEVER).with_columns(order=pl.lit(-1, dtype=pl.Int64()))
    if arrived is not None:
        here = {"to": arrived.slots, "at": arrived.at, "value": arrived.values, "order": arrived.order}
        known = pl.concat([known, pl.DataFrame(here)])
    each = pairs.join(known, on="to").with_columns(best=pl.struct("at", "tie").rank("dense"))
    each = each.sort("from", "order", "best")
    newest = each.filter(pl.col("best") == pl.col("best").cum_max().over("from"))
    return newest.select("from", "order", "value").sort("order", maintain_order=True)
