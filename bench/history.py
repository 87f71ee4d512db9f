"""History: a week of many devices in a lake, by town and for one device.

    .venv/bin/python -m bench.history                      the short form: 2,000 devices, 4 M rows
    .venv/bin/python -m bench.history --devices 40000      a district's week: 80.6 M rows (minutes, 3 GB of disk)

One reading of one property every five minutes, written a day at a time as an import writes it, then rolled up. Answers
are timed after one warm-up; the first one is told too, it opens files. Every answer is compared with what was written.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bench.measure import Result, arguments, percentile
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US
from zhiwan.kernel.lake import Lake

START = datetime(2026, 3, 2, tzinfo=UTC) - timedelta(hours=8)  # local midnight in Shanghai's zone
EVERY = timedelta(minutes=5)
A_DAY = timedelta(days=1) // EVERY
TOWNS = 11


def day_of(devices: int, day: int) -> pl.DataFrame:
    """All readings of one day, sorted as the lake wants them."""
    count = devices * A_DAY
    chance = np.random.default_rng(day)
    ids = pl.Series("entity", [f"s{n:05d}" for n in range(devices)])
    at = pl.datetime_range(
        START + timedelta(days=day), START + timedelta(days=day + 1), EVERY, closed="left", eager=True
    )
    return (
        pl.DataFrame(
            {
                "entity": ids[np.repeat(np.arange(devices, dtype=np.uint32), A_DAY)],
                "observed_at": at.cast(UTC_US)[np.tile(np.arange(A_DAY, dtype=np.uint32), devices)],
                "value": np.round(2 + chance.random(count), 2),
            }
        )
        .select(
            "entity",
            pl.lit("level").alias("property"),
            "observed_at",
            "value",
            pl.col("entity").alias("source"),
            pl.col("observed_at").dt.offset_by("1s").alias("recorded_at"),
            pl.lit(0, pl.Int32).alias("quality"),
            pl.lit(0, pl.Int64).alias("seq"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in OBSERVATION_SCHEMA.items())
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--lake", type=Path, help="folder, kept; one that is there already is used as it is")
    options = parser.parse_args()
    rows = options.devices * A_DAY * options.days
    result = Result(
        "history",
        "History queries",
        data=f"{options.devices:,} devices × {options.days} days, one reading in 5 min: {rows:,} rows",
        load=f"one reader, {options.repeats} repeats",
    )
    folder = options.lake or Path(tempfile.mkdtemp(prefix="zw-bench-lake-"))
    try:
        fill_and_ask(folder, options.devices, options.days, options.repeats, result)
    finally:
        if options.lake is None:
            shutil.rmtree(folder, ignore_errors=True)
    result.write(options.results)


def fill_and_ask(folder: Path, devices: int, days: int, repeats: int, result: Result) -> None:
    lake = Lake(folder)
    rows = devices * A_DAY * days
    if lake.committed("bench") < days - 1:
        began, used = time.perf_counter(), time.process_time()
        for day in range(days):
            lake.import_history(day_of(devices, day), "bench", day)
        took = time.perf_counter() - began
        cpu = (time.process_time() - used) / rows * 1e6
        result.add("write (generation included)", seconds=took, rows_per_second=rows / took,
                   cpu_seconds_per_million_points=cpu)  # fmt: skip
        began, used = time.perf_counter(), time.process_time()
        lake.roll_up()
        took = time.perf_counter() - began
        cpu = (time.process_time() - used) / rows * 1e6
        result.add("roll up", seconds=took, rows_per_second=rows / took, cpu_seconds_per_million_points=cpu)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    result.add("on disk", megabytes=size / 1e6, bytes_per_row=size / rows)

    areas = pl.DataFrame(
        {
            "entity": [f"s{n:05d}" for n in range(devices)],
            "area": [f"100000{n % TOWNS + 1:03d}" for n in range(devices)],
        }
    )
    end = START + timedelta(days=days)
    one = f"s{devices // 2:05d}"
    hour, whole_day = timedelta(hours=1), timedelta(days=1)

    def ask(case: str, question: Callable[[], pl.DataFrame], wanted: int, readings: int | None) -> float:
        began = time.perf_counter()
        answer = question()
        first = (time.perf_counter() - began) * 1000
        took = []
        for _ in range(repeats):
            began, used = time.perf_counter(), time.process_time()
            answer = question()
            took.append((time.perf_counter() - began) * 1000)
            cpu = time.process_time() - used
        right = answer.height == wanted and (readings is None or int(answer["n"].sum()) == readings)
        median = percentile(took, 0.5) or 0.0
        result.add(case, ms_first=first, ms_p50=median, ms_max=max(took), cpu_seconds=cpu, answer_rows=answer.height,
                   right=right)  # fmt: skip
        result.promise(f"{case}: the answer has every reading", right)
        return median

    by_town = ask(
        "a week by town, hourly", lambda: lake.by_area("level", START, end, hour, areas), TOWNS * 24 * days, rows
    )
    ask("a week by town, daily", lambda: lake.by_area("level", START, end, whole_day, areas), TOWNS * days, rows)
    week = ask("one device's week, every reading", lambda: lake.history(one, "level", START, end), A_DAY * days, None)
    ask("one device's week, hourly", lambda: lake.history(one, "level", START, end, hour), 24 * days, A_DAY * days)
    # A bad cell: an area frame that names devices nobody has, and a span with nothing in it.
    ask("a span without readings", lambda: lake.history(one, "level", end, end + whole_day), 0, None)
    result.promise(f"a week by town < 300 ms (measured {by_town:.0f})", by_town < 300)
    result.promise(f"one device-week < 100 ms (measured {week:.0f})", week < 100)


if __name__ == "__main__":
    main()
