"""Keeps the last result of every test that ran: bin/test gives the folder of its reports.

    python tests/keep_results.py REPORTS        → .cache/test-results.json, read by the page /mission

A test that did not run this time keeps its earlier result with its time. Of several runs of one test (parameters) the
worst counts.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

CHECKOUT = Path(__file__).resolve().parents[1]
KEPT = CHECKOUT / ".cache" / "test-results.json"
WORSE = ("passed", "skipped", "failed")


def results(report: Path) -> dict[str, str]:
    """`tests/x/test_y.py::test_z` → passed, skipped or failed, of one JUnit file."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        parts = case.get("classname", "").split(".")
        while parts and not parts[-1].startswith("test_"):  # a test inside a class
            parts.pop()
        id = f"{'/'.join(parts)}.py::{case.get('name', '').split('[')[0]}"
        told = {child.tag for child in case}
        result = "failed" if told & {"failure", "error"} else "skipped" if "skipped" in told else "passed"
        found[id] = max(found.get(id, "passed"), result, key=WORSE.index)
    return found


def main(reports: Path) -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    for report in sorted(reports.glob("*.xml")):
        kept |= {id: {"result": result, "at": at} for id, result in results(report).items()}
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(kept, indent=0, sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
