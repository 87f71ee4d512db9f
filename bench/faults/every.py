"""Runs the faults one after the other on a running Zhiwan and writes docs/bench/faults.md. Started by bench/faults/run.

    bench/faults/run [--full] [--pause SECONDS] [NAME...]

A fault that fails is a row of the table like any other. Rows of faults that were not run this time stay as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.faults import disks, killing, standing, streams, upkeep
from bench.faults.eyes import Seen, summary
from bench.faults.fault import Fault, NotRun, Options
from bench.faults.stage import Stage, open_stage
from bench.faults.table import Row, write
from bench.measure import end_on_signals

FAULTS: tuple[Fault, ...] = (
    *killing.FAULTS,
    *upkeep.FAULTS,
    *standing.FAULTS,
    *streams.FAULTS,
    *disks.FAULTS,
)
PAUSE_SHORT, PAUSE_FULL = 75.0, 600.0
BEFORE = 4.0
WELL_WITHIN = 120.0


def do(stage: Stage, fault: Fault, options: Options) -> Row:
    """One fault with everything around it."""
    row = Row(fault.name, fault.title, form="full" if options.full else "short")
    row.at = datetime.now(UTC).isoformat(timespec="seconds")
    print(f"\n=== {fault.name}: {fault.title}", flush=True)
    stage.fleet.flow()
    stage.flow(BEFORE)
    senders, refused = dict(stage.fleet.counts), stage.refusals()
    stage.eyes.memory.clear()
    said = len(stage.product.said)
    process = stage.product.process
    began = time.monotonic()
    try:
        row.done = fault.do(stage, options)
    except NotRun as why:
        row.state, row.done = "not run", str(why)
    except Exception as problem:
        traceback.print_exc()
        row.problems["the fault"] = [f"{type(problem).__name__}: {problem}"]
    row.seconds = time.monotonic() - began
    over = time.monotonic()
    row.well_after = await_well(stage, over)
    seen = stage.eyes.since(began)
    if stage.product.process is process:
        seen += [Seen(over, "up", "", "", line) for line in stage.product.said[said:]]
    found = stage.settle(fault.settle)
    row.accepted, row.lake_rows, row.alarms, row.sent = found.accepted, found.lake_rows, found.alarms, stage.fleet.sent
    row.problems |= found.problems
    row.not_answered = _more(stage.fleet.counts, senders)
    with contextlib.suppress(Exception):
        row.refusals_counted = _more(stage.refusals(), refused)
    posts = [key for key in row.not_answered if key.startswith("HTTP")]
    seen += [Seen(over, "api", "", "", f"{key} {stage.fleet.http.refusals.get(key, '')}") for key in posts]
    if row.state != "not run":
        row.told = {where: summary(seen, where, began) for where in ("healthz", "page", "lamp", "up")}
        row.untold = [f"{one.where}: {one.words}" for one in fault.tells if one.seen_in(seen) is None]
        row.untold += [f"counted: {code}" for code in fault.counts if code not in row.refusals_counted]
    row.highest_mb = {name: round(mb) for name, mb in stage.eyes.memory.items()}
    row.judge()
    show(row)
    return row


def show(row: Row) -> None:
    """What was found, at once: an interrupted run has told what it knew."""
    figures = f"{row.seconds:.0f} s, {row.accepted:,} accepted, {row.alarms:,} alarms"
    print(f"  {row.state}: {row.done} ({figures})", flush=True)
    for what, lines in row.problems.items():
        print(f"  PROBLEM {what}: {' '.join(lines)}", flush=True)
    for one in row.untold:
        print(f"  NOT TOLD {one}", flush=True)
    print(f"  senders met {row.not_answered}, counted {row.refusals_counted}, well after {row.well_after}", flush=True)
    for where, sentences in row.told.items():
        print(f"  {where}: " + "; ".join(f"{one['words']} ({one['after']} s)" for one in sentences), flush=True)


def _more(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {key: n - before.get(key, 0) for key, n in now.items() if n > before.get(key, 0)}


def await_well(stage: Stage, over: float) -> float | None:
    """Seconds from the end of the fault until every part was ok and the open page live; None: not in time."""
    while time.monotonic() < over + WELL_WITHIN:
        if stage.eyes.well_since is not None and stage.eyes.lamp == "live":
            return max(0.0, stage.eyes.well_since - over)
        time.sleep(0.2)
    return None


@contextlib.contextmanager
def stage_for(kind: str, browser: str) -> Iterator[Stage]:
    """The common stage, or one with a clock that can be stepped."""
    if kind != "clock":
        with open_stage(browser) as stage:
            yield stage
        return
    with tempfile.TemporaryDirectory(prefix="zw-clock-") as folder:
        Path(folder).chmod(0o755)
        with open_stage(browser, standing.clock_environment(Path(folder) / "step"), mounts=False) as stage:
            yield stage


def run(faults: Sequence[Fault], options: Options, browser: str) -> list[Row]:
    """All of them, each on the stage it needs; the table is written after each."""
    rows: list[Row] = []
    for kind in dict.fromkeys(fault.own_stage for fault in faults):
        mine = [fault for fault in faults if fault.own_stage == kind]
        try:
            with stage_for(kind, browser) as stage:
                for fault in mine:
                    rows.append(do(stage, fault, options))
                    write(rows)
        except NotRun as why:
            rows += [Row(fault.name, fault.title, state="not run", done=str(why)) for fault in mine]
            write(rows)
    return rows


def main() -> None:
    end_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [fault.name for fault in FAULTS]
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *names], help=", ".join(names))
    parser.add_argument("--full", action="store_true", help="a worker paused for ten minutes")
    parser.add_argument("--short", action="store_true", help=f"the default: a pause of {PAUSE_SHORT:g} s")
    parser.add_argument("--pause", type=float, help="seconds of the worker's pause")
    asked = parser.parse_args()
    options = Options(asked.pause or (PAUSE_FULL if asked.full else PAUSE_SHORT), asked.full)
    chosen = [fault for fault in FAULTS if not asked.names or fault.name in asked.names]
    rows = run(chosen, options, os.environ.get("ZHIWAN_CHROMIUM", "chromium"))
    bad = [row.name for row in rows if row.state not in ("held", "not run")]
    print(f"\n{len(rows) - len(bad)} of {len(rows)} held or not run" + (f"; not held: {', '.join(bad)}" if bad else ""))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
