"""The plan's rows show what packs and tests declare, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from zhiwan.city.portal import mission

Enter = Callable[..., Client]
SUITE = """
import pytest

@pytest.mark.mission("D17.3", "Z9")
def test_the_flood_is_told() -> None: ...

@pytest.mark.mission("A1")
def test_the_net_is_measured() -> None: ...
"""


@pytest.fixture
def plan(settings: Any, tmp_path: Path) -> Path:
    """A checkout with two tests of which one ran, and a place with three rows."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(SUITE)
    results = {"tests/test_it.py::test_the_flood_is_told": {"result": "passed", "at": "2026-07-01T08:00:00+00:00"}}
    (tmp_path / ".cache").mkdir()
    (tmp_path / mission.RESULTS).write_text(json.dumps(results))
    (tmp_path / "mission.csv").write_text("id,title,title_en\nA1,网,Net\nD17.3,防汛,Flood\nE1,安全,Security\n")
    settings.CHECKOUT = settings.ZHIWAN_PLACE = tmp_path
    return tmp_path


def test_rows_are_proved_tested_or_honestly_empty(city: object, plan: Path) -> None:
    rows = {row.id: row for row in mission.mission_rows()}
    assert {id: row.state for id, row in rows.items()} == {
        "A1": "tested", "D17.3": "proved", "E1": "empty", "Z9": "proved",
    }  # fmt: skip
    flood = rows["D17.3"]
    assert [pack.id for pack in flood.packs] == ["governance.surge"]
    assert "/rules/governance.surge.high" in [screen.url for screen in flood.screens]
    assert flood.tests[0].title == "the flood is told"


def test_a_test_that_failed_fails_its_row(city: object, plan: Path) -> None:
    result = {"result": "failed", "at": "2026-07-01T08:00:00+00:00"}
    (plan / mission.RESULTS).write_text(json.dumps({"tests/test_it.py::test_the_net_is_measured": result}))
    assert {row.id: row.state for row in mission.mission_rows()}["A1"] == "failing"


def test_the_page_filters_searches_and_exports(enter: Enter, plan: Path) -> None:
    desk = enter("desk")
    page = desk.get("/mission").content.decode()
    assert all(f"<strong>{id}</strong>" in page for id in ("A1", "D17.3", "E1"))
    assert "<strong>E1</strong>" not in desk.get("/mission?state=proved").content.decode()
    assert "<strong>A1</strong>" not in desk.get("/mission?part=D").content.decode()
    found = desk.get("/mission?q=防汛").content.decode()
    assert "<strong>D17.3</strong>" in found
    assert "<strong>A1</strong>" not in found
    table = b"".join(desk.get("/mission?format=csv")).decode()
    assert "tests/test_it.py::test_the_flood_is_told,passed" in table


def test_a_place_without_a_plan_still_shows_what_packs_declare(city: object, plan: Path) -> None:
    (plan / "mission.csv").unlink()
    assert "D17.3" in {row.id for row in mission.mission_rows()}
