"""What every measurement shares: the machine's description, CPU time of processes, and the result as JSON and Markdown.

A result is written even when it is bad; a script that fails says so in its exit code, and bench/run puts that into the
table too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE = CHECKOUT / ".cache" / "bench"
RESULTS = CHECKOUT / "docs" / "bench" / "results"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Result:
    """One measurement. `cells`: one table row each, first column the case; `verdicts`: what was promised, and whether
    it held; `data` and `load`: data size and load shape in words."""

    name: str
    title: str
    data: str
    load: str
    cells: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[tuple[str, bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    seconds: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)

    def add(self, case: str, **figures: Any) -> None:
        """One row; printed at once, so that an interrupted run has told what it knew."""
        self.cells.append({"case": case, **figures})
        print(f"  {case}: " + ", ".join(f"{key} {shown(value)}" for key, value in figures.items()), flush=True)

    def promise(self, words: str, kept: bool) -> None:
        self.verdicts.append((words, bool(kept)))
        print(f"  {'kept' if kept else 'NOT KEPT'}: {words}", flush=True)

    def write(self, folder: Path = RESULTS) -> Path:
        """`<name>.json` and, for people, `<name>.md`."""
        self.seconds = round((datetime.now(UTC) - datetime.fromisoformat(self.began)).total_seconds(), 1)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}.json"
        file.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
        (folder / f"{self.name}.md").write_text(markdown(self), encoding="utf-8")
        print(markdown(self))
        return file


def markdown(result: Result) -> str:
    """The result as a section of docs/bench/results.md."""
    columns: list[str] = []
    for cell in result.cells:
        columns += [key for key in cell if key not in columns]
    one = result.machine
    words = [
        f"## {result.title}\n",
        f"{result.began}, {result.seconds:g} s, commit {one['commit']}. Machine: {one['cpus']} × {one['cpu']}, "
        f"{one['memory_gb']} GB, {one['system']}; load average before {result.load_before:.1f}.",
        f"Data: {result.data}. Load: {result.load}.\n",
    ]
    if columns:
        words.append("| " + " | ".join(column.replace("_", " ") for column in columns) + " |")
        words.append("|" + "---|" * len(columns))
        words += ["| " + " | ".join(shown(cell.get(column, "")) for column in columns) + " |" for cell in result.cells]
        words.append("")
    words += [f"- {'kept' if kept else '**not kept**'}: {promised}" for promised, kept in result.verdicts]
    words += [f"- {note}" for note in result.notes]
    return "\n".join(words) + "\n"


def shown(value: Any) -> str:
    """A figure as people read it: three digits that count."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {shown(one)}" for key, one in value.items())
    return str(value)


def machine() -> dict[str, Any]:
    """Where this was measured."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cpu": cpu,
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": _commit(),
    }


def _commit() -> str:
    run = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return run.stdout.strip() or "unknown"


# -- processes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Used:
    """CPU seconds (user and system) and resident megabytes of a process with all it has started."""

    cpu: float
    resident_mb: float


def _stat(pid: int) -> tuple[int, float, float]:
    """Parent, CPU seconds of itself and of its ended children, resident megabytes."""
    words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    own = sum(int(words[place]) for place in (11, 12, 13, 14)) / TICKS
    return int(words[1]), own, int(words[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def usage(root: int, name_of: Callable[[str], str | None]) -> dict[str, Used]:
    """What each named part below `root` has used until now. A process `name_of` gives no name counts to its parent."""
    parents: dict[int, tuple[int, float, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parents[int(entry.name)] = _stat(int(entry.name))
    names: dict[int, str | None] = {}

    def part(pid: int) -> str | None:
        if pid not in names:
            names[pid] = None
            if pid == root:
                names[pid] = "up"
            elif pid in parents and (above := part(parents[pid][0])) is not None:
                with contextlib.suppress(OSError):
                    names[pid] = name_of(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")) or above
        return names[pid]

    found: dict[str, Used] = {}
    for pid, (_, cpu, resident) in parents.items():
        if (name := part(pid)) is not None:
            before = found.get(name, Used(0.0, 0.0))
            found[name] = Used(before.cpu + cpu, before.resident_mb + resident)
    return found


def per_million(before: Mapping[str, Used], after: Mapping[str, Used], points: int) -> dict[str, float]:
    """CPU seconds of each part per million points."""
    if points <= 0:
        return {}
    spent = {name: used.cpu - before.get(name, Used(0, 0)).cpu for name, used in after.items()}
    return {name: round(cpu / points * 1e6, 2) for name, cpu in sorted(spent.items()) if cpu > 0.005}


# -- small things ------------------------------------------------------------------------------------------------


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def build_generator() -> Path:
    """The load generator, compiled when its source is newer."""
    return compiled(Path(__file__).with_name("load.c"), "load")


def compiled(source: Path, name: str, *flags: str) -> Path:
    """A program, or with -shared a library, of a C source."""
    program = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        made = program.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", "-O2", "-Wall", "-std=gnu11", *flags, "-o", made, source], check=True)
        made.replace(program)
    return program


def arguments(words: str | None) -> argparse.ArgumentParser:
    """The options every measurement has. Being asked to end (SIGTERM) ends it with everything it started."""
    end_on_signals()
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    return parser


def end_on_signals() -> None:
    """SIGTERM and SIGHUP end this process like Ctrl-C: what it started is stopped, its folders are removed."""

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
