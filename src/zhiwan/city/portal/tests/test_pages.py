"""Every page opens for the desk and for a town, in both languages, and shows a town nothing of another."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from zhiwan.city.cases.models import Case
from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry import spaces
from zhiwan.city.registry.models import Space
from zhiwan.city.watch.models import Warning
from zhiwan.city.watch.tests.surge import EAST, RULE

Enter = Callable[..., Client]
LISTS = ["map", "alarms", "warnings", "warning_new", "responses", "cases", "entities",
         "indicators", "set_aside", "quality", "rules", "health", "search", "map_side", "menu", "story",
         "space"]  # fmt: skip


def details() -> list[str]:
    with acting_system("web"):
        case, warning = Case.objects.get().pk, Warning.objects.get().pk
    return [
        reverse("portal:alarm", args=["a1"]),
        reverse("portal:case", args=[case]),
        reverse("portal:warning", args=[warning]),
        reverse("portal:entity", args=["gauge-e"]),
        reverse("portal:rule", args=[RULE]),
        reverse("portal:map_card", args=["gauge-e"]),
        reverse("portal:map_area_card", args=[EAST]),
        "/?view=table",
        "/search?q=东",
        "/alarms?state=&area=" + EAST,
        "/entities?type=Gauge&q=东",
    ]


def test_the_desk_opens_every_page(enter: Enter) -> None:
    desk = enter("desk")
    for url in [*(reverse(f"portal:{name}") for name in LISTS), *details()]:
        assert desk.get(url).status_code == 200, url
    # Who may publish a warning may record another authority's; the button is there for nobody else.
    outside = reverse("portal:warning_outside")
    assert (desk.get(outside).status_code, enter("flood").get(outside).status_code) == (403, 200)
    assert outside not in desk.get("/warnings").content.decode()
    assert outside in enter("chief").get("/warnings").content.decode()


def test_english_pages_hold_no_chinese_but_the_names_of_things(enter: Enter) -> None:
    """A sentence that nobody translated would show here."""
    desk = enter("chief", "en")
    names = re.compile("中文|东闸?|西闸|云湾区|不是数|改|高|所")
    for url in [*(reverse(f"portal:{name}") for name in LISTS), *details()]:
        text = names.sub("", desk.get(url).content.decode())
        found = re.findall("[\u4e00-\u9fff]+", re.sub(r"\\u[0-9a-f]{4}", "", text))
        assert not found, (url, found)


def test_a_town_finds_nothing_of_another_town(enter: Enter) -> None:
    west = enter("west")
    hidden = [*details()[:2], reverse("portal:entity", args=["gauge-e"]), reverse("portal:map_card", args=["gauge-e"])]
    for url in hidden:
        assert west.get(url).status_code == 404, url
    for url in ("/", "/alarms", "/cases", "/entities", "/data/set-aside", "/map/state.json", "/search?q=gauge"):
        assert "gauge-e" not in west.get(url).content.decode(), url


def test_strangers_are_led_to_the_sign_in_page_and_fragments_are_refused(city: object) -> None:
    stranger = Client()
    assert stranger.get("/").headers["Location"] == "/in"
    assert stranger.get("/alarms?state=open").headers["Location"] == "/in?next=/alarms%3Fstate%3Dopen"
    assert stranger.get("/menu", headers={"HX-Request": "true"}).status_code == 401
    assert stranger.get("/live/ticket", headers={"Accept": "application/json"}).status_code == 401


def test_pages_need_no_inline_script_or_style(enter: Enter) -> None:
    """The content policy would refuse them; JSON beside a chart or the map is no script."""
    desk = enter("desk")
    for url in [*(reverse(f"portal:{name}") for name in LISTS), *details()]:
        page = desk.get(url).content.decode()
        scripts = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", page)
        assert all('type="application/json"' in one for one in scripts), url
        assert "<style" not in page, url
        assert not re.search(r"\son[a-z]+=|hx-on|javascript:", page), url


def test_the_map_knows_areas_values_and_where_alarms_are_open(enter: Enter) -> None:
    desk = enter("desk")
    areas, state = desk.get("/map/areas.json").json(), desk.get("/map/state.json").json()
    assert areas["outline"]["type"] == "Polygon"
    assert next(town["code"] for town in areas["towns"]) == EAST
    assert [pin["entity"] for pin in state["alarms"]] == ["gauge-e"]
    assert {"columns", "features", "layers", "as_of"} <= state.keys()


def test_lists_download_as_csv_that_no_spreadsheet_executes(enter: Enter) -> None:
    desk = enter("desk")
    for url in ("/alarms", "/cases", "/entities", "/data/set-aside?state=", "/data/quality", "/indicators"):
        answer = desk.get(url + ("&" if "?" in url else "?") + "format=csv")
        assert answer.headers["Content-Type"].startswith("text/csv"), url
        assert b"".join(answer).startswith("\ufeff".encode()), url


def test_a_list_stays_within_its_queries(enter: Enter, django_assert_max_num_queries: Callable[..., Any]) -> None:
    desk = enter("desk")
    desk.get("/alarms")
    with django_assert_max_num_queries(24):
        desk.get("/alarms")


@pytest.mark.parametrize(
    "url", ["/alarms/nothing", "/cases/999", "/warnings/999", "/entities/nothing", "/rules/nothing"]
)
def test_what_is_not_there_is_said_kindly(enter: Enter, url: str) -> None:
    answer = enter("desk").get(url)
    assert answer.status_code == 404
    assert "没有找到" in answer.content.decode()


def test_a_story_that_was_dropped_meanwhile_shows_nothing_more(enter: Enter) -> None:
    desk = enter("desk")
    with acting_system("cli"):
        Space.objects.create(id="day", title_zh="一天", title_en="A day", clock=[], told={})
    desk.post(reverse("portal:space"), {"space": "day"})
    assert desk.get(reverse("portal:story_steps")).headers["X-Zhiwan-Space"] == "day"
    with acting_system("cli"):
        spaces.close("day")
    gone = desk.get(reverse("portal:story_steps"))
    assert (gone.status_code, gone.headers["X-Zhiwan-Space"]) == (204, "live")
    assert desk.get(reverse("portal:story")).status_code == 200
    with acting_system("cli"):  # played again: nobody is led into it who did not step in
        Space.objects.filter(id="day").update(state="running")
    assert desk.get("/alarms").headers["X-Zhiwan-Space"] == "live"


def test_what_the_browser_keeps_for_one_space_is_not_asked_for_in_another(enter: Enter) -> None:
    """The page reloads at an answer of another space: at one that the browser kept, it would do so for ever."""

    def kept() -> str:
        settings = re.search(r'<script id="map-data"[^>]*>(.*?)</script>', desk.get("/").content.decode(), re.S)
        assert settings
        return str(json.loads(settings[1])["areas"])

    desk = enter("desk")
    live = kept()
    assert desk.get(live).headers["Cache-Control"] == "private, max-age=300"
    with acting_system("cli"):
        Space.objects.create(id="day", title_zh="一天", title_en="A day", clock=[], told={})
    desk.post(reverse("portal:space"), {"space": "day"})
    assert (kept() == live, desk.get(kept()).status_code) == (False, 200)


def test_a_part_that_refreshes_itself_is_in_the_answer_it_asks_for(enter: Enter) -> None:
    """htmx asks for the whole page and takes the part; were it not there, the list would vanish from the open page."""
    desk, found = enter("desk"), 0
    for url in [*(reverse(f"portal:{name}") for name in LISTS), *details()]:
        for tag in re.findall(r"<\w+[^>]*hx-select=[^>]*>", desk.get(url).content.decode()):
            asked = re.search(r'hx-get="([^"]+)"', tag)
            wanted = re.search(r'hx-select="#([^"]+)"', tag)
            assert asked is not None, tag
            assert wanted is not None, tag
            headers = {"HX-Request": "true", "HX-Request-Type": "full"}
            answer = desk.get(html.unescape(asked[1]), headers=headers).content.decode()
            assert f'id="{wanted[1]}"' in answer, (url, tag)
            found += 1
    assert found >= 5
