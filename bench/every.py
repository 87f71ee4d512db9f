"""Runs the measurements one after the other and writes docs/bench/results.md. Started by bench/run.

    bench/run [--full] [NAME...]
        NAME: judge intake http loop loop_batching reconnect history audit guard peers pages

A measurement that fails or takes too long is a row of the table like any other. Results of measurements that were not
run this time stay as they are, with their own date.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import CACHE, CHECKOUT, RESULTS, build_generator, end_on_signals

PAGE = CHECKOUT / "docs" / "bench" / "results.md"
QUIET = 0.7


@dataclass(frozen=True)
class Measurement:
    """A module with its short and its full form."""

    name: str
    module: str
    full: str
    short: str = ""
    most_seconds: int = 300
    most_seconds_full: int = 1800


MEASUREMENTS = (
    Measurement("judge", "bench.judge", "--batches 10"),
    Measurement("intake", "bench.intake", "--batches 10"),
    Measurement("loop", "bench.loop", "--connections 5000 --rates 12500 25000 --seconds 30 --gate 120"),
    Measurement(
        "loop_batching",
        "bench.loop",
        "--connections 5000 --rates 5000 --readings 10 --seconds 30 --gate 120",
        short="--connections 1000 --rates 2500 --readings 10",
    ),
    Measurement("http", "bench.http_door", "--seconds 20 --rates 100 60 25"),
    Measurement("reconnect", "bench.reconnect", "--devices 15000", short="--devices 3000"),
    Measurement("history", "bench.history", "--devices 40000"),
    Measurement("audit", "bench.audit", "--seconds 20 --rounds 3"),
    Measurement("guard", "bench.guard", "--rows 100000"),
    Measurement("peers", "bench.peers", "--devices 8000 --seconds 20 --rate 12500 --probes 40"),
    Measurement("pages", "bench.pages", "--repeats 5 --stream-seconds 30"),
)


def run(one: Measurement, full: bool) -> str | None:
    """Runs it; None when it wrote its result, else why not."""
    words = (one.full if full else one.short).split()
    print(f"\n=== {one.name}: python -m {one.module} {' '.join(words)}", flush=True)
    log = CACHE / f"{one.name}.log"
    limit = one.most_seconds_full if full else one.most_seconds
    # One from before must not pass for this one's.
    for kind in ("json", "md"):
        (RESULTS / f"{one.name}.{kind}").unlink(missing_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen([sys.executable, "-m", one.module, *words], cwd=CHECKOUT, stderr=errors)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            return f"not done after {limit} s"
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait(90)
            raise
    if process.returncode == 0 and (RESULTS / f"{one.name}.json").exists():
        return None
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    return f"exit code {process.returncode}: " + " / ".join(last)


def failure(name: str, why: str, began: float) -> None:
    """A measurement that failed has a result too."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    body = {"name": name, "title": name, "failed": why, "seconds": round(time.time() - began), "verdicts": []}
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(f"## {name}\n\n**This measurement failed**: {why}\n", encoding="utf-8")
    print(f"{name} FAILED: {why}", flush=True)


def write_page(page: Path = PAGE, results: Path = RESULTS) -> None:
    """All results of the folder on one page, with what was promised first."""
    found: list[dict[str, Any]] = []
    for one in MEASUREMENTS:
        file = results / f"{one.name}.json"
        if file.exists():
            found.append(json.loads(file.read_text(encoding="utf-8")))
    lines = [
        "# Results\n",
        "Written by `bench/run`; how to read them: [bench/README.md](../../bench/README.md). Everything ran on one "
        "machine, load generator included. Figures of two runs differ by ten percent and more.\n",
        "| measurement | promise | held |",
        "|---|---|---|",
    ]
    for result in found:
        title = result["title"]
        if "failed" in result:
            lines.append(f"| {title} | the measurement runs | **no**: {result['failed']} |")
        lines += [f"| {title} | {words} | {'yes' if kept else '**no**'} |" for words, kept in result["verdicts"]]
    sections = [(results / f"{one['name']}.md").read_text(encoding="utf-8") for one in found]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(lines) + "\n\n" + "\n".join(sections), encoding="utf-8")
    print(f"\nwritten: {page}")


def main() -> None:
    end_on_signals()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *(one.name for one in MEASUREMENTS)])
    parser.add_argument("--full", action="store_true", help="target sizes: minutes instead of seconds")
    options = parser.parse_args()
    build_generator()
    if (busy := os.getloadavg()[0]) > QUIET:
        print(f"The machine is not quiet (load average {busy:.1f}): figures will be too bad. Every result tells it.")
    failed = 0
    for one in MEASUREMENTS:
        if options.names and one.name not in options.names:
            continue
        began = time.time()
        if (why := run(one, options.full)) is not None:
            failure(one.name, why, began)
            failed += 1
        write_page()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
