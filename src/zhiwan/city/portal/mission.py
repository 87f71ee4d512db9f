"""The rows of the place's plan, and what there is for each: generated from what packs and tests declare.

The list of rows is the place's (`mission.csv`: id, title, title_en). Packs name their rows in pack.yml; tests name
theirs with `@pytest.mark.mission("C6")`; `bin/test` leaves the last results in the checkout. A row that nobody names
stays empty.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse

from zhiwan.city.packs_loaded import packs
from zhiwan.kernel.packs.mission import plan_rows
from zhiwan.kernel.packs.models import Pack

RESULTS = Path(".cache") / "test-results.json"
_CASE = re.compile(r"^- +case:", re.MULTILINE)


@dataclass(frozen=True)
class Test:
    """A test that names the row; `result` is that of its last run, empty when none is known."""

    id: str
    title: str
    result: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Screen:
    title: dict[str, str]
    url: str


@dataclass
class MissionRow:
    id: str
    title: dict[str, str]
    packs: list[Pack] = field(default_factory=list)
    screens: list[Screen] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    replays: int = 0

    @property
    def part(self) -> str:
        return self.id[:1]

    @property
    def state(self) -> str:
        """`failing`, `proved` (a named test passed last time), `tested`, `declared`, or `empty`."""
        results = {test.result for test in self.tests}
        if "failed" in results:
            return "failing"
        if "passed" in results:
            return "proved"
        if self.tests:
            return "tested"
        return "declared" if self.packs else "empty"


def mission_rows() -> list[MissionRow]:
    """All rows of the plan, in its order. Rows that only packs or tests name come last: a misspelt id must be seen."""
    rows = {id: MissionRow(id, title) for id, title in _plan()}
    results = _results()
    for pack in packs().packs:
        for id in pack.manifest.mission:
            row = rows.setdefault(id, MissionRow(id, {"zh": "", "en": ""}))
            row.packs.append(pack)
            row.screens += [one for one in _screens(pack) if one not in row.screens]
            row.replays += _replays(pack.folder)
    for test, ids in _tests(settings.CHECKOUT):
        known = results.get(test, {})
        at = datetime.fromisoformat(known["at"]) if known else None
        for id in ids:
            row = rows.setdefault(id, MissionRow(id, {"zh": "", "en": ""}))
            row.tests.append(Test(test, test.split("::")[-1].removeprefix("test_").replace("_", " "),
                                  known.get("result", ""), at))  # fmt: skip
    return list(rows.values())


def _plan() -> list[tuple[str, dict[str, str]]]:
    """The rows that the place lists; a place without a plan has none."""
    listed = plan_rows(settings.ZHIWAN_PLACE) if settings.ZHIWAN_PLACE else []
    return [(row.id, {"zh": row.title, "en": row.title_en}) for row in listed]


def _screens(pack: Pack) -> list[Screen]:
    """Where a person meets the pack: its things, rules and signs, and the lists that its kinds go to."""
    found = [Screen(_words(one.title), f"{reverse('portal:entities')}?type={one.id}") for one in pack.types]
    found += [Screen(_words(one.title), reverse("portal:rule", args=[f"{pack.id}.{one.id}"])) for one in pack.rules]
    found += [
        Screen(_words(one.title), reverse("portal:indicator", args=[f"{pack.id}.{one.id}"])) for one in pack.indicators
    ]
    found += [Screen(_words(one.title), reverse("portal:warnings")) for one in pack.warnings]
    found += [Screen(_words(one.title), reverse("portal:responses")) for one in pack.plans]
    found += [Screen(_words(one.title), reverse("portal:cases")) for one in pack.case_kinds]
    return found


def _words(title: Any) -> dict[str, str]:
    return {"zh": title.zh, "en": title.en}


@cache
def _replays(folder: str) -> int:
    """How many replays the pack brings."""
    files = (Path(folder) / "tests").glob("*.yml") if folder else ()
    return sum(len(_CASE.findall(file.read_text(encoding="utf-8"))) for file in files)


@cache
def _tests(checkout: Path) -> list[tuple[str, list[str]]]:
    """Tests that name rows, read from their sources: none of them is imported. An installed wheel has none."""
    found: list[tuple[str, list[str]]] = []
    files = [*(checkout / "tests").rglob("test_*.py"), *(checkout / "src" / "zhiwan").rglob("tests/test_*.py")]
    for file in sorted(files):
        text = file.read_text(encoding="utf-8")
        if "mark.mission(" not in text:
            continue
        name = file.relative_to(checkout).as_posix()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (ids := _marked(node)):
                found.append((f"{name}::{node.name}", ids))
    return found


def _marked(node: ast.FunctionDef) -> list[str]:
    return [
        argument.value
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.mission"
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def _results() -> dict[str, dict[str, str]]:
    """The last result of each test, as bin/test left them; nothing where the tests never ran."""
    try:
        found: dict[str, dict[str, str]] = json.loads((settings.CHECKOUT / RESULTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found
