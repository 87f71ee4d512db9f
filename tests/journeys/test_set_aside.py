"""What a device sent wrong is seen with its reason, mended, replayed, and then on the page of its entity."""

from __future__ import annotations

from playwright.sync_api import expect

from running import Product, Visit


def test_a_refused_value_is_mended_and_replayed(product: Product, visit: Visit) -> None:
    device = product.demo["device"]["id"]
    product.publish({"values": {"level": "zwei Meter"}})
    page = visit(f"/data/set-aside?device={device}")
    refused = page.locator("article", has_text="zwei Meter").first
    for _ in range(20):
        if refused.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(refused).to_contain_text("原因")
    refused.locator("summary").click()
    refused.get_by_label("数值").fill("2.77")
    refused.get_by_role("button", name="修正并重放").click()
    expect(page.get_by_text("已修正并重新送入数据流")).to_be_visible()
    page.goto(f"{product.url}/entities/{device}")
    expect(page.locator(f'[data-live-value="{device}:level"]')).to_have_text("2.77", timeout=10_000)


def test_a_refused_value_is_dropped_with_a_reason(product: Product, visit: Visit) -> None:
    device = product.demo["device"]["id"]
    product.publish({"values": {"no_such_property": 1}})
    page = visit(f"/data/set-aside?device={device}")
    refused = page.locator("article", has_text="no_such_property").first
    for _ in range(20):
        if refused.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    refused.locator("summary").click()
    refused.get_by_label("丢弃原因").fill("试发的属性")
    refused.get_by_role("button", name="丢弃").click()
    page.locator("dialog.ask").get_by_role("button", name="确定").click()
    expect(page.get_by_text("已丢弃，并记录原因")).to_be_visible()
