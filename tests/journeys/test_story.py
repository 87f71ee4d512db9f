"""A story on the running product: a day in a minute, signed by story persons; nothing of it is live, nothing is left.

It goes through everything that is real: the MQTT door, its own worker, jobs, pages, the API. The live city goes on
meanwhile, so what is compared there is what only a leak could change.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from running import Product, Visit

PAGES = (
    "/", "/alarms", "/warnings", "/responses", "/cases", "/indicators", "/entities", "/data/set-aside",
    "/data/quality", "/rules", "/health", "/story",
)  # fmt: skip


def zhiwan(product: Product, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zhiwan.run.cli", *words, "--data", str(product.data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def all_of(api: httpx.Client, path: str, **more: Any) -> list[dict[str, Any]]:
    rows = api.get(path, params={"size": 500, **more}).raise_for_status().json()["rows"]
    assert isinstance(rows, list)
    return rows


def live_facts(product: Product) -> dict[str, Any]:
    """What a story would change if it leaked."""
    with product.api() as api:
        tide = all_of(api, "entities", type="TideGauge")
        figures = api.get("indicators").raise_for_status().json()
        return {
            "tide": [one["id"] for one in tide],
            "figures": {one["id"]: one["n"] + one["stale"] for one in figures if one["id"].endswith(".tide_level")},
            "warnings": all_of(api, "warnings"),
        }


def strangers(product: Product) -> list[str]:
    """Live rows that name a thing of the story."""
    with product.api() as api:
        found = [one["entity"]["id"] for one in all_of(api, "alarms")]
        found += [one["entity"] or "" for one in all_of(api, "cases")]
    return [one for one in found if "typhoon" in str(one)]


def step_into(page: Page, name: str) -> None:
    page.locator("#spaces summary").click()
    page.locator("#spaces button", has_text=name).click()
    page.wait_for_load_state()


def test_a_story_is_played_beside_the_live_city_and_leaves_nothing(product: Product, visit: Visit) -> None:
    before = live_facts(product)
    played = zhiwan(product, "story", "typhoon", "--auto", "--speed", "2400")
    assert played.returncode == 0, played.stdout + played.stderr
    for words in ("告警升级", "预警签发：高潮位预警 黄色（推演人员·林晚）", "Ⅲ级响应启动", "任务签收", "案件结案"):
        assert words in played.stdout

    # Nothing of it is live.
    assert live_facts(product) == before
    assert strangers(product) == []

    # All of it says what it is: pages, exports, answers.
    page = visit("/alarms")
    assert "【推演】" not in page.title()
    step_into(page, "推演")
    for path in PAGES:
        page.goto(product.url + path)
        assert page.title().startswith("【推演】"), path
        assert page.locator(".story-banner").is_visible(), path
    assert page.locator(".story-step.is-done").count() == 9
    alarms = page.request.get(f"{product.url}/alarms?format=csv&state=all")
    assert "story-typhoon" in alarms.headers["content-disposition"]
    header, *rows = alarms.text().strip().splitlines()
    assert header.startswith("\ufeff空间,")
    assert all(row.startswith("推演 typhoon,") for row in rows)
    with product.api() as api:
        answer = api.get("alarms", params={"size": 500, "space": "typhoon"})
        assert answer.headers["X-Zhiwan-Space"] == "typhoon"
        found = answer.json()["rows"]
        assert len(found) > 5
        assert {one["space"] for one in found} == {"typhoon"}
        assert all(one["entity"]["id"].startswith("typhoon-") and one["opened_at"] < "2024-09-20" for one in found)
        alarm = found[0]["id"]
        assert api.get(f"alarms/{alarm}").status_code == 404, "in the live space it does not exist"
        assert api.get(f"alarms/{alarm}", headers={"X-Zhiwan-Space": "typhoon"}).status_code == 200
    step_into(page, "实况")
    assert "【推演】" not in page.title()

    # And it goes, wholly.
    dropped = zhiwan(product, "story", "drop", "typhoon")
    assert dropped.returncode == 0, dropped.stderr
    for what in ("watch_alarm ", "registry_device 17", "lake files", "registry_space 1"):
        assert what in dropped.stdout
    assert not (product.data / "lakes" / "typhoon").exists()
    with product.api() as api:
        assert api.get("alarms", params={"space": "typhoon"}).status_code >= 400
    assert live_facts(product) == before
    assert strangers(product) == []
    again = zhiwan(product, "story", "drop", "typhoon")
    assert again.returncode == 2
    assert "there is no space" in again.stderr


@pytest.mark.parametrize("words", [("story", "no-such")])
def test_a_story_that_nobody_declared_is_refused_with_those_there_are(product: Product, words: tuple[str, ...]) -> None:
    refused = zhiwan(product, *words)
    assert refused.returncode == 2
    assert "typhoon" in refused.stderr
