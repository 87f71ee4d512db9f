"""The results as JSON and as docs/bench/faults.md. Bad rows are rows like the others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.measure import CHECKOUT, RESULTS, machine

PAGE = CHECKOUT / "docs" / "bench" / "faults.md"
FILE = RESULTS / "faults.json"


@dataclass
class Row:
    """One fault and what was left after it."""

    name: str
    title: str
    state: str = "held"  # held, not held, not run, failed
    done: str = ""
    seconds: float = 0.0
    sent: int = 0  # readings since the start of the run
    accepted: int = 0
    lake_rows: int = 0
    alarms: int = 0
    not_answered: dict[str, int] = field(default_factory=dict)  # what senders met during the fault
    refusals_counted: dict[str, int] = field(default_factory=dict)  # what the product counted during it
    problems: dict[str, list[str]] = field(default_factory=dict)
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    untold: list[str] = field(default_factory=list)
    well_after: float | None = None
    highest_mb: dict[str, float] = field(default_factory=dict)
    at: str = ""
    form: str = "short"

    def judge(self) -> None:
        if self.state == "held" and (self.problems or self.untold or self.well_after is None):
            self.state = "not held"


def write(rows: list[Row], page: Path = PAGE, file: Path = FILE) -> None:
    """Rows of this run take the place of those of the same name; the others stay, with their own date."""
    kept: dict[str, dict[str, Any]] = {}
    if file.exists():
        kept = {one["name"]: one for one in json.loads(file.read_text(encoding="utf-8"))["rows"]}
    kept |= {row.name: {**asdict(row), "commit": machine()["commit"]} for row in rows}
    file.parent.mkdir(parents=True, exist_ok=True)
    body = {"machine": machine(), "rows": list(kept.values())}
    file.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(markdown(list(kept.values()), body["machine"]), encoding="utf-8")


def markdown(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Faults\n",
        "Written by `bench/faults/run`; what is done and checked: [bench/faults](../../bench/README.md#faults). "
        f"Machine: {machine['cpus']} × {machine['cpu']}, {machine['memory_gb']} GB, {machine['system']}.\n",
        "After each fault every reading that was accepted (PUBACK, or 200) is in the lake exactly once; roll-ups, "
        "latest values and counters agree with it; each alarm that the readings make is there once; /healthz, the page "
        "运行状态 and the lamp of an open page said what was wrong while it was wrong, and all parts are well again. "
        "*Held* means all of it. Readings count from the start of the run, and every check covers all of them.\n",
        "| fault | held | what was done | seconds | accepted | rows in the lake | alarms | senders met "
        "| refusals counted | well again after s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in rows]
    lines.append("\n## What was said\n")
    lines.append("Each different sentence once, with the seconds from the beginning of the fault to its first sight.\n")
    for row in rows:
        lines += _told(row)
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any]) -> str:
    held = {"held": "yes", "not run": "not run"}.get(row["state"], f"**{row['state']}**")
    cells = [
        row["title"], held, row["done"], f"{row['seconds']:.0f}", f"{row['accepted']:,}", f"{row['lake_rows']:,}",
        f"{row['alarms']:,}", _counted(row["not_answered"]), _counted(row["refusals_counted"]),
        "–" if row["well_after"] is None else f"{row['well_after']:.1f}",
    ]  # fmt: skip
    return "| " + " | ".join(_cell(str(cell)) for cell in cells) + " |"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())) or "–"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _told(row: dict[str, Any]) -> list[str]:
    lines = [f"### {row['title']}\n", f"{row['at']}, commit {row.get('commit', '?')}, {row['form']} form.\n"]
    for what, found in row["problems"].items():
        lines.append(f"- **{what}**: " + "; ".join(_cell(one) for one in found))
    lines += [f"- **not told**: {_cell(one)}" for one in row["untold"]]
    for where, sentences in row["told"].items():
        if sentences:
            shown = "; ".join(f"{_cell(one['words'])} ({one['after']:g} s)" for one in sentences[:8])
            lines.append(f"- {where}: {shown}")
    if row["highest_mb"]:
        highest = ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(row["highest_mb"].items()))
        lines.append(f"- highest resident MB: {highest}")
    return [*lines, ""]
