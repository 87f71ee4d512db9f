"""A story on the running product: a day in a minute, signed by a person; nothing of it is live, nothing is left.

It goes through everything that is real: the MQTT door, its own worker, jobs, pages, the API. The live city goes on
meanwhile, so what is compared there is what only a leak could change.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from running import Product, Visit

Begin = Callable[..., subprocess.Popen[str]]
PAGES = (
    "/", "/alarms", "/warnings", "/responses", "/cases", "/indicators", "/entities", "/data/set-aside",
    "/data/quality", "/rules", "/health", "/warnings/new", "/warnings/outside", "/mission", "/import", "/story",
)  # fmt: skip
EXPORTS = ("alarms", "cases", "entities", "indicators", "data/set-aside", "data/quality", "mission")


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
    """Through the menu. A page that just took up something new has closed it again: a person opens it once more."""
    for _ in range(5):
        page.locator("#spaces summary").click()
        try:
            page.locator("#spaces button", has_text=name).click(timeout=5_000)
            break
        except PlaywrightTimeout:
            continue
    expect(page.locator("#spaces summary")).to_have_text(name, timeout=30_000)


@pytest.fixture
def begin(product: Product) -> Iterator[Begin]:
    """The command in the background; nothing of it outlives the test."""
    begun: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "zhiwan.run.cli", "story", "typhoon", *options, "--data", str(product.data)]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return begun[-1]

    yield start
    for one in begun:
        one.kill()
        one.wait()
    zhiwan(product, "story", "drop", "typhoon")


def sign_what_waits(page: Page, story: str) -> str:
    """As the person at the screen: from the story's page to the warning that waits, and sign it. Its title."""
    page.goto(story)
    page.locator("#story-waiting a").click(timeout=90_000)
    page.wait_for_url("**/warnings/*")
    title = page.locator("h1").inner_text()
    page.get_by_role("button", name="签发").click()
    page.locator("dialog.ask").get_by_role("button", name="确定").click()
    expect(page.locator(".page-head .state")).to_have_text(re.compile("已签发|已发布"))
    page.goto(story)
    expect(page.locator("#story-waiting", has_text=title)).to_have_count(0)  # the story goes on
    return title


def rows_of(product: Product, space: str) -> dict[str, int]:
    """Rows of a space in the database, of every table that has a space; what waits in the queue for it."""
    program = """if True:
        import json, sys
        from pathlib import Path
        from zhiwan.run.folder import DataFolder
        DataFolder(Path(sys.argv[1])).adopt_environment()
        import django
        django.setup()
        from django.db import connection
        from zhiwan.city.people.acting import acting_system
        from zhiwan.run.story.dropping import tables_with_space
        found = {}
        with acting_system("cli", space=sys.argv[2]), connection.cursor() as cursor:
            for table in sorted(tables_with_space()):
                cursor.execute(f"SELECT count(*) FROM {table} WHERE space = %s", [sys.argv[2]])
                found[table] = cursor.fetchone()[0]
            cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE args->>'space' = %s", [sys.argv[2]])
            found["jobs"] = cursor.fetchone()[0]
            cursor.execute("SELECT count(*) FROM registry_space WHERE id = %s", [sys.argv[2]])
            found["space"] = cursor.fetchone()[0]
            cursor.execute("SELECT count(*) FROM watch_heartbeat WHERE process LIKE %s", ["%" + sys.argv[2]])
            found["signs of life"] = cursor.fetchone()[0]
        print(json.dumps({table: n for table, n in found.items() if n}))
    """
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "zhiwan.city.settings"}
    said = subprocess.run(
        [sys.executable, "-c", program, str(product.data), space],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return dict(json.loads(said.stdout))


@pytest.mark.timeout(600)
def test_a_story_is_played_beside_the_live_city_and_leaves_nothing(
    product: Product, visit: Visit, begin: Begin
) -> None:
    before = live_facts(product)
    page, bystander = visit("/alarms"), visit("/story")
    assert page.locator("#spaces").count() == 0
    played = begin("--speed", "2400")
    # A page that was open before offers the step into it by itself.
    expect(page.locator("#spaces summary")).to_be_visible(timeout=120_000)
    expect(bystander.locator("#story-list button")).to_be_visible(timeout=10_000)
    step_into(page, "推演")
    # The other page of this session still shows the live city: what it asks for now, it does not show as live.
    bystander.locator("#search-box").fill("潮位")
    expect(bystander).to_have_title(re.compile("^【推演】"), timeout=15_000)
    bystander.context.close()
    signed = [sign_what_waits(page, f"{product.url}/story") for _ in range(3)]
    assert signed == ["高潮位预警 蓝色", "暴雨预警 黄色", "高潮位预警 黄色"]
    said, _ = played.communicate(timeout=300)
    assert played.returncode == 0, said
    for words in ("外来预警登记：台风预警 蓝色（推演人员·林晚）", "告警升级", "Ⅲ级响应启动", "任务签收", "案件结案"):
        assert words in said
    assert "预警签发：高潮位预警 黄色（" in said
    assert "预警签发：高潮位预警 黄色（推演人员" not in said, "a person at the screen signed it"
    step_into(page, "实况")

    # Nothing of it is live.
    assert live_facts(product) == before
    assert strangers(product) == []

    # All of it says what it is: pages, exports, answers.
    page.goto(f"{product.url}/alarms")
    expect(page).not_to_have_title(re.compile("【推演】"))
    step_into(page, "推演")
    for path in PAGES:
        page.goto(product.url + path)
        expect(page, path).to_have_title(re.compile("^【推演】"), timeout=20_000)
        expect(page.locator(".story-banner"), path).to_be_visible()
    assert page.locator(".story-step.is-done").count() == 9
    refused = page.request.get(f"{product.url}/setup")
    assert (refused.status, "<title>【推演】" in refused.text()) == (403, True), (
        "a place is set up in the live city only"
    )
    for path in EXPORTS:
        export = page.request.get(f"{product.url}/{path}?format=csv&state=all")
        assert "story-typhoon" in export.headers["content-disposition"], path
        header, *rows = csv.reader(io.StringIO(export.text()))
        assert header[0] == "\ufeff空间", path
        assert {row[0] for row in rows} <= {"推演 typhoon"}, path
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
    expect(page).not_to_have_title(re.compile("【推演】"))

    # And it goes, wholly.
    dropped = zhiwan(product, "story", "drop", "typhoon")
    assert dropped.returncode == 0, dropped.stderr
    for what in ("watch_alarm ", "registry_device 17", "lake files", "registry_space 1"):
        assert what in dropped.stdout
    assert not (product.data / "lakes" / "typhoon").exists()
    assert rows_of(product, "typhoon") == {}
    with product.api() as api:
        assert api.get("alarms", params={"space": "typhoon"}).status_code >= 400
    assert live_facts(product) == before
    assert strangers(product) == []
    again = zhiwan(product, "story", "drop", "typhoon")
    assert again.returncode == 2
    assert "there is no space" in again.stderr


@pytest.mark.parametrize("killed", [False, True], ids=["while it is played", "after kill -9"])
def test_a_story_half_played_is_dropped_wholly(product: Product, visit: Visit, begin: Begin, killed: bool) -> None:
    page = visit("/alarms")
    played = begin("--auto", "--speed", "1200")
    expect(page.locator("#spaces summary")).to_be_visible(timeout=120_000)
    step_into(page, "推演")
    page.goto(f"{product.url}/alarms")
    expect(page.locator("#list a.row-link").first).to_be_visible(timeout=60_000)
    if killed:
        played.kill()
    dropped = zhiwan(product, "story", "drop", "typhoon")
    assert dropped.returncode == 0, dropped.stderr
    said, _ = played.communicate(timeout=30)
    assert killed or "was dropped while its story was played" in said
    assert killed or played.returncode == 2
    # A page of it notices by itself, and is live again.
    expect(page).not_to_have_title(re.compile("【推演】"), timeout=20_000)
    assert rows_of(product, "typhoon") == {}
    assert not (product.data / "lakes" / "typhoon").exists()
    assert not (product.data / "logs" / "worker-typhoon.log").exists()
    assert "[not played]" in zhiwan(product, "story", "list").stdout


@pytest.mark.parametrize("words", [("story", "no-such")])
def test_a_story_that_nobody_declared_is_refused_with_those_there_are(product: Product, words: tuple[str, ...]) -> None:
    refused = zhiwan(product, *words)
    assert refused.returncode == 2
    assert "typhoon" in refused.stderr
