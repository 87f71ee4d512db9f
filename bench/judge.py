"""The judge alone: batches of 20,000 rows through 20, 200 and 2,000 rules synthesised over the shipped types.

    .venv/bin/python -m bench.judge [--rules 20 200 2000] [--rows 20000] [--batches 5] [--entities 10000]

Everything is in memory: no intake, no database, no lake. Rows are spread evenly over the properties, rules too, so each
row meets rules/properties of them. The last rows are bad cells: every reading fires and clears in turn, every reading
comes late, and the shipped packs with their own rules and derive steps (AQI).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from bench.measure import CHECKOUT, Result, arguments
from bench.rules import Watched, make_rules, watchable, with_rules
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US
from zhiwan.kernel.judge import JudgeState, RuleBook, World, judge
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.run.worker.brain import entity_frames

START = datetime(2026, 3, 1, tzinfo=UTC)
TOWN, VILLAGE = "100000001", "100000001001"
Values = Callable[[Watched, np.ndarray, int], np.ndarray]


def world_of(packs: PackSet, count: int) -> tuple[World, dict[str, list[str]]]:
    """`count` entities, evenly over the types, with 5 for each numeric field."""
    rows, ids = [], {name: [f"{name}-{n}" for n in range(count // len(packs.types))] for name in packs.types}
    for name, declared in packs.types.items():
        fields = {field: 1e9 for field, one in declared.fields.items() if one.type == "number"}
        rows += [
            {"id": id, "type": name, "name": id, "town": TOWN, "area": VILLAGE, "lon": 121.0, "lat": 30.0,
             "fields": fields}
            for id in ids[name]
        ]  # fmt: skip
    links = pl.DataFrame([], schema={"from_id": pl.String, "link": pl.String, "to_id": pl.String}, orient="row")
    return World(entity_frames(packs.types, rows, packs.parameters.zone), packs.parameters, links), ids


def quiet(watched: Watched, chance: np.ndarray, _: int) -> np.ndarray:
    return watched.low + (watched.high - watched.low) * chance


def wild(watched: Watched, chance: np.ndarray, batch: int) -> np.ndarray:
    """Beyond every limit in one batch, below in the next."""
    span = watched.high - watched.low
    return np.full(len(chance), watched.high + span * 3 if batch % 2 else watched.low)


def batch_of(
    over: Sequence[Watched], ids: dict[str, list[str]], rows: int, number: int, values: Values, late: bool = False
) -> pl.DataFrame:
    """`rows` readings of one moment each; a thing's readings are a minute apart from batch to batch."""
    chance = np.random.default_rng(number)
    parts = []
    share = -(-rows // len(over))
    at = START + timedelta(minutes=number if not late else -number)
    for watched in over:
        names = ids[watched.type]
        size = len(names)
        turns = np.arange(share)
        parts.append(
            pl.DataFrame(
                {
                    "entity": [names[n % size] for n in turns],
                    "property": [watched.property] * share,
                    "observed_at": [at + timedelta(milliseconds=int(n // size)) for n in turns],
                    "value": values(watched, chance.random(share), number),
                }
            )
        )
    frame = pl.concat(parts).head(rows)
    recorded = START + timedelta(minutes=number)
    return frame.with_columns(
        pl.lit("bench").alias("source"),
        pl.lit(recorded).cast(UTC_US).alias("recorded_at"),
        pl.lit(0, pl.Int32).alias("quality"),
        pl.int_range(number * rows + 1, number * rows + 1 + frame.height, dtype=pl.Int64).alias("seq"),
    ).select(pl.col(name).cast(dtype) for name, dtype in OBSERVATION_SCHEMA.items())


def measure(
    packs: PackSet, entities: int, rows: int, batches: int, values: Values = quiet, late: bool = False
) -> dict[str, float | int]:
    """Milliseconds a batch after two batches that warm up."""
    began = time.perf_counter()
    book = RuleBook.compile(packs)
    compiled = time.perf_counter() - began
    world, ids = world_of(packs, entities)
    state = JudgeState()
    over = watchable(packs.types)
    took, cpu, events = [], 0.0, 0
    for number in range(batches + 2):
        frame = batch_of(over, ids, rows, number, values, late)
        used, began = time.process_time(), time.perf_counter()
        found = judge(book, world, state, frame, START + timedelta(minutes=number))
        state.changed()
        if number >= 2:
            took.append(time.perf_counter() - began)
            cpu += time.process_time() - used
            events += len(found.events)
        state.mark_saved()
        assert not found.problems, found.problems
    return {
        "rules": len(packs.rules),
        "ms_per_batch_median": sorted(took)[len(took) // 2] * 1000,
        "ms_per_batch_worst": max(took) * 1000,
        "points_per_second": rows * batches / sum(took),
        "cpu_seconds_per_million_points": cpu / (rows * batches) * 1e6,
        "alarm_events": events,
        "compile_seconds": compiled,
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rules", type=int, nargs="+", default=[20, 200, 2000])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--entities", type=int, default=10_000)
    options = parser.parse_args()
    shipped = load_packs([CHECKOUT / "packs"])
    over = watchable(shipped.types)
    result = Result(
        "judge",
        "Judge alone",
        data=f"{options.entities:,} entities of {len(shipped.types)} shipped types, {len(over)} watched properties",
        load=f"{options.batches} batches of {options.rows:,} rows after 2 to warm up, one process",
    )
    medians = {}
    for count in options.rules:
        found = measure(with_rules(shipped, make_rules(count, over)), options.entities, options.rows, options.batches)
        medians[count] = found["ms_per_batch_median"]
        result.add(f"{count} rules, nothing fires", **found)
    middle = with_rules(shipped, make_rules(200, over))
    few = min(3, options.batches)
    result.add("200 rules, all fire or clear", **measure(middle, options.entities, options.rows // 4, few, wild))
    result.add("200 rules, all late", **measure(middle, options.entities, options.rows // 4, few, quiet, late=True))
    result.add("shipped packs as they are", **measure(shipped, options.entities, options.rows, few))
    result.notes.append("The two rows with bad readings use batches of a quarter of the rows.")
    if 200 in medians and 2000 in medians:
        ratio = medians[2000] / medians[200]
        result.promise(f"2,000 rules cost at most 3 times 200 (measured {ratio:.2f})", ratio <= 3)
    result.write(options.results)


if __name__ == "__main__":
    main()
