"""Sound on red: a switch that the browser remembers, and a real red alarm that rings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from running import Product, Visit

# Counts the tones that start: what reaches the loudspeaker cannot be heard here, that it was asked to sound can.
COUNT = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };
"""


def await_tones(page: Page, count: int) -> None:
    for _ in range(200):
        if tones(page) >= count:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{tones(page)} tones after 20 s, not {count}")


def tones(page: Page) -> int:
    return int(page.evaluate("window.tones"))


def test_the_switch_is_off_at_first_reached_by_keyboard_and_remembered(visit: Visit) -> None:
    page = visit("/alarms")
    page.add_init_script(COUNT)
    page.reload()
    switch = page.get_by_role("button", name="红色告警响铃")
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.focus()
    page.keyboard.press("Enter")
    expect(switch).to_have_attribute("aria-pressed", "true")
    await_tones(page, 2)  # heard once when switched on

    page.goto(page.url.replace("/alarms", "/cases"))
    switch = page.get_by_role("button", name="红色告警响铃")
    expect(switch).to_have_attribute("aria-pressed", "true")
    if not page.evaluate("navigator.userActivation.hasBeenActive"):
        expect(switch).to_contain_text("点一下页面后才会响")  # the browser's rule, told
    page.locator("h1").click()
    expect(switch.locator("span")).to_have_text("")

    switch.click()
    page.reload()
    expect(page.get_by_role("button", name="红色告警响铃")).to_have_attribute("aria-pressed", "false")


def test_it_speaks_english(visit: Visit, product: Product) -> None:
    page = visit("/alarms")
    page.context.add_cookies([{"name": "zhiwan_language", "value": "en", "url": product.url}])
    page.reload()
    expect(page.get_by_role("button", name="Sound on red alarms")).to_be_visible()


def test_a_red_alarm_rings_and_only_where_it_was_wished(product: Product, visit: Visit) -> None:
    wished, silent = visit("/cases"), visit("/cases")
    for page in (wished, silent):
        page.add_init_script(COUNT)
        page.reload()
        page.locator("h1").click()
        expect(page.locator("#live-state")).to_have_attribute("data-state", "live", timeout=15_000)
    wished.get_by_role("button", name="红色告警响铃").click()
    await_tones(wished, 2)
    wished.wait_for_timeout(3500)  # the rest between two signals

    now = datetime.now(UTC)
    with product.api() as api:
        gauges = api.get("/entities", params={"type": "RainGauge", "size": 5}).json()["rows"]
        rain = [
            {"device": gauges[-1]["id"], "at": (now - timedelta(seconds=ago)).isoformat(), "values": {"rain": 55.0}}
            for ago in (60, 40, 20)
        ]
        answer = api.post("/observations", json=rain).json()
        assert answer["accepted"] == 3, answer
    await_tones(wished, 4)
    assert tones(silent) == 0
