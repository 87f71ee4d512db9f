"""Lamp posts at a desk: a post leaks, somebody takes the work order, a person releases the alarm. In both languages."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from running import Product, Visit, wait_until

POST, LEAKING = "hand-lamp", "base.lamps.leaking"


def publish(product: Product, **values: float) -> None:
    product.publish({"values": values}, device=POST, secret=product.demo["by_hand"][POST])


@pytest.fixture(scope="module")
def alarm(product: Product) -> dict[str, Any]:
    """45 mA at the post that nobody simulates."""
    publish(product, leakage=3, door=0, power=118, dimming=100)
    publish(product, leakage=45)
    with product.api() as api:

        def found() -> Any:
            rows = api.get("/alarms", params={"pack": "base.lamps", "size": 200}).json()["rows"]
            return next((row for row in rows if (row["rule"], row["entity"]["id"]) == (LEAKING, POST)), None)

        opened = wait_until(found, "an alarm of the leaking post")
    assert isinstance(opened, dict)
    return opened


@pytest.mark.mission("A18")
def test_a_leaking_post_raises_an_alarm_and_a_work_order(visit: Visit, alarm: dict[str, Any]) -> None:
    assert (alarm["level"]["id"], alarm["state"]) == ("danger", "open")
    page = visit(f"/alarms/{alarm['id']}")
    expect(page.locator("body")).to_contain_text("漏电流 45.0 毫安，限值 30.0")
    expect(page.locator("body")).to_contain_text("GB/T 13955-2017")
    case = page.locator('a[href^="/cases/"]').filter(has_text="#").first
    expect(case).to_be_visible(timeout=15_000)
    case.click()
    page.get_by_role("button", name="签收").click()
    page.get_by_label("处置情况").fill("断电检修，更换电缆")
    page.get_by_role("button", name="登记处置").click()
    page.get_by_label("已修复").check()
    page.get_by_role("button", name="结案").click()
    page.locator("dialog.ask").get_by_role("button", name="确定").click()
    expect(page.locator(".page-head .state")).to_contain_text("已结案")


@pytest.mark.mission("A18")
def test_the_alarm_stays_until_a_person_releases_it(product: Product, visit: Visit, alarm: dict[str, Any]) -> None:
    publish(product, leakage=3)
    with product.api() as api:

        def state() -> str:
            return str(api.get(f"/alarms/{alarm['id']}").json()["state"])

        wait_until(lambda: state() == "latched", "the leak to be over and the alarm to wait for a person")
        page = visit(f"/alarms/{alarm['id']}")
        page.get_by_role("button", name="确认告警").click()
        page.locator("dialog.ask").get_by_role("button", name="确定").click()
        wait_until(lambda: state() == "cleared", "the released alarm to clear")


@pytest.mark.mission("A18")
def test_a_post_shows_what_hangs_on_it_and_who_owns_it(product: Product, visit: Visit, alarm: dict[str, Any]) -> None:
    page = visit(f"/entities/{POST}")
    for words in ("权属单位", "挂载摄像机", "舱门", "调光"):
        expect(page.locator("main")).to_contain_text(words)
    page.context.add_cookies([{"name": "zhiwan_language", "value": "en", "url": product.url}])
    page.goto(f"{product.url}/entities/{POST}")
    for words in ("Owner", "Carries a camera", "Cabinet door", "Closed", "Dimming"):
        expect(page.locator("main")).to_contain_text(words)


@pytest.mark.mission("A18")
def test_posts_and_lines_are_on_the_map_and_their_faults_in_one_queue(visit: Visit, alarm: dict[str, Any]) -> None:
    page = visit("/")
    expect(page.get_by_role("checkbox", name="智慧灯杆")).to_be_checked()
    expect(page.get_by_role("checkbox", name="待整治架空线")).not_to_be_checked()
    page.goto(page.url.rstrip("/") + "/cases?kind=base.lamps.fault&state=")
    queue = page.locator("main tbody")
    expect(queue).to_contain_text("漏电流")
    expect(queue).to_contain_text("许可已到期")
