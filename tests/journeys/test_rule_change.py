"""A rule is changed while the city runs: edited, previewed on past days, signed by a second person, judging at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from running import Product, sign_in, wait_until

RULE = "governance.flood.river_above_warning"
PREVIEWED = 180_000  # ms: two days of 120 stations on a busy machine


def confirm(page: Page) -> None:
    page.locator("dialog.ask").get_by_role("button", name="确定").click()


@pytest.fixture
def chiefs(product: Product, browser: Browser) -> Iterator[tuple[Page, Page]]:
    """Two persons who hold the post of the duty chief."""
    pages = sign_in(product, browser, "chief"), sign_in(product, browser, "deputy")
    yield pages
    for page in pages:
        page.context.close()


def previewed(page: Page) -> None:
    expect(page.locator("#preview")).to_contain_text("会不同的天数", timeout=PREVIEWED)


def signed(page: Page, note: str) -> None:
    page.get_by_label("签署意见").fill(note)
    page.get_by_role("button", name="签署生效").click()
    confirm(page)
    expect(page.locator("#signing")).to_contain_text("数据流已采用", timeout=30_000)


@pytest.mark.mission("D17.3")
def test_a_rule_is_changed_by_two_persons_and_judges_without_a_restart(
    product: Product, chiefs: tuple[Page, Page]
) -> None:
    chief, deputy = chiefs
    device = product.demo["device"]["id"]
    healthy = product.browserless().get("/healthz").json()["parts"]["worker"]
    product.publish({"values": {"level": 2.0}})

    # A mistake is told at its field, with its code and what to do.
    chief.goto(f"{product.url}/rules/{RULE}")
    chief.get_by_role("link", name="修改判断").click()
    chief.get_by_label("条件", exact=True).fill("value >= warning_levl")
    chief.get_by_label("修改理由").first.fill("试改")
    chief.get_by_role("button", name="提出并预览").click()
    wrong = chief.locator("#p-when")
    expect(wrong).to_contain_text("warning_levl")
    expect(wrong).to_contain_text("JUDGE-001")

    # Only the free device gets another limit, so that nothing else of this city alarms.
    limit = f"value >= CASE WHEN id = '{device}' THEN 2.4 ELSE warning_level END"
    chief.get_by_label("条件", exact=True).fill(limit)
    chief.get_by_label("解除", exact=True).fill(limit.replace(">=", "<"))
    chief.get_by_label("须持续", exact=True).fill("0s")
    chief.get_by_label("修改理由").first.fill("该处堤身在修，水位到 2.4 米即派人")
    chief.get_by_role("button", name="提出并预览").click()
    expect(chief.locator(".page-head .state").first).to_contain_text("待第二人签署")
    proposal = chief.url
    previewed(chief)
    expect(chief.locator("#preview")).to_contain_text("个读数")
    assert chief.get_by_role("button", name="签署生效").count() == 0, "nobody signs alone"

    # The other chief finds it by the badge, looks at the preview and signs.
    deputy.goto(f"{product.url}/rules")
    expect(deputy.get_by_role("navigation", name="主菜单").locator('a[href="/rules"] .count')).to_have_text("1")
    deputy.locator("section", has_text="待第二人签署").locator("a.row-link").first.click()
    expect(deputy).to_have_url(proposal)
    expect(deputy.locator("table", has_text="改为")).to_contain_text("2.4")
    signed(deputy, "同意")

    # The very next reading is judged by it: no restart, and the alarm says by which version.
    before = product.browserless().get("/healthz").json()["parts"]["worker"]
    assert before["pid"] == healthy["pid"]
    product.publish({"values": {"level": 2.5}})
    with product.api() as api:

        def opened() -> Any:
            rows = api.get("/alarms", params={"state": "open", "size": 200}).json()["rows"]
            return next((row for row in rows if row["entity"]["id"] == device and row["rule"] == RULE), None)

        alarm = wait_until(opened, "an alarm by the new limit")
    version = alarm["rule_version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\+local\.\d+", version), version
    deputy.goto(f"{product.url}/alarms/{alarm['id']}")
    why = deputy.locator("section", has_text="为什么告警")
    expect(why).to_contain_text("2.4")
    expect(why).to_contain_text(version)

    # Undone the same way; the alarm of then is still judged by the text of then.
    deputy.goto(proposal)
    deputy.get_by_label("恢复到此前的理由").fill("堤身修好")
    deputy.get_by_role("button", name="提出恢复").click()
    confirm(deputy)
    expect(deputy.locator(".page-head .state").first).to_contain_text("待第二人签署")
    back = deputy.url
    previewed(deputy)
    chief.goto(back)
    signed(chief, "同意恢复")
    product.publish({"values": {"level": 2.45}})
    with product.api() as api:
        wait_until(lambda: api.get(f"/alarms/{alarm['id']}").json()["state"] == "cleared", "the alarm to clear")
    chief.goto(f"{product.url}/alarms/{alarm['id']}")
    expect(chief.locator("section", has_text="为什么告警")).to_contain_text("此后规则已改")
    chief.get_by_role("button", name="复核").click()
    told = chief.locator("#recomputed")
    expect(told).to_contain_text("一致", timeout=20_000)
    expect(told).not_to_contain_text("不一致")
    expect(told).to_contain_text(version)

    # The rule's page keeps who, when and what.
    chief.goto(f"{product.url}/rules/{RULE}")
    history = chief.locator("#changes tbody tr")
    expect(history).to_have_count(2)
    expect(history.last).to_contain_text("值班长（演示）")
    expect(history.last).to_contain_text("副值班长（演示）")
    expect(chief.locator(".card", has_text="判断").locator("code").first).to_have_text("value >= warning_level")


def test_a_parameter_gets_a_new_dated_value(product: Product, chiefs: tuple[Page, Page]) -> None:
    chief, deputy = chiefs
    later = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    chief.goto(f"{product.url}/rules/governance.flood.drain_full")
    chief.get_by_role("link", name="新数值").first.click()
    chief.get_by_label("数值", exact=False).first.fill("0.3")
    chief.get_by_label("生效日期").fill(later)
    chief.get_by_label("依据（文件名称和条款）").fill("排水防涝技术导则（示例）3.2")
    chief.get_by_label("修改理由").fill("新导则")
    chief.get_by_role("button", name="提出并预览").click()
    previewed(chief)
    expect(chief.locator("#preview")).to_contain_text("这个数值一直有效")
    deputy.goto(chief.url)
    signed(deputy, "")
    deputy.goto(f"{product.url}/rules/governance.flood.drain_full")
    values = deputy.locator("section", has_text="参数与依据").locator("tbody tr")
    expect(values.last).to_contain_text(later)
    expect(values.last).to_contain_text("待核实")
    expect(values.first).to_contain_text("2012-01-01")
