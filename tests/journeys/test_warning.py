"""A warning from draft to lift: only people move it, the plan gives tasks to posts, a rise adds the difference."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from running import Product, Visit, sign_in


def confirm(page: Page) -> None:
    page.locator("dialog.ask").get_by_role("button", name="确定").click()


def move(page: Page, button: str, *, asked: bool = True) -> None:
    page.get_by_role("button", name=button).click()
    if asked:
        confirm(page)


@pytest.mark.mission("D17.3", "D25")
def test_a_warning_is_signed_by_a_person_and_its_tasks_are_received(
    product: Product, browser: Browser, visit: Visit
) -> None:
    page = visit("/warnings/new")
    page.get_by_label("种类与级别").select_option(label="暴雨预警 蓝色")
    page.get_by_role("button", name="存为草稿").click()
    state = page.locator(".page-head .state")
    address = page.url
    assert page.get_by_role("button", name="签发").count() == 0, "nobody signs what nobody reviewed"
    expect(page.get_by_text("由您拟稿或修改，须由另一人审核。")).to_be_visible()
    assert page.get_by_role("button", name="审核通过").count() == 0, "nobody reviews what they wrote"
    desk = sign_in(product, browser, "operator")
    desk.goto(address)
    move(desk, "审核通过", asked=False)
    expect(desk.locator(".page-head .state")).to_contain_text("已审核")
    page.reload()
    expect(page.get_by_role("button", name="签发")).to_be_visible()
    move(page, "签发")
    move(page, "发布")
    expect(state).to_contain_text("已发布")

    # The plan started: the flood office finds its task, receives it and finishes it.
    office = sign_in(product, browser, "flood")
    office.goto(f"{product.url}/responses")
    mine = office.locator("section", has_text="本岗位的任务")
    task = mine.locator("tbody tr", has_text="带班领导到岗").first
    expect(task).to_be_visible(timeout=15_000)
    task.get_by_role("button", name="签收").click()
    expect(task.get_by_role("button", name="完成")).to_be_visible()
    office.context.close()

    # A rise adds only the difference.
    page.goto(f"{product.url}/responses")
    row = page.locator("#list section").first.locator("tbody tr", has_text="防汛防台").first
    before = int(row.locator("td").nth(4).inner_text().split("/")[1])
    page.goto(address)
    page.locator("summary", has_text="变更级别").click()
    page.get_by_label("级别", exact=True).select_option(label="黄色")
    page.get_by_role("button", name="保存").click()
    page.goto(f"{product.url}/warnings?state=draft")
    page.locator("#list a.row-link").first.click()
    desk.goto(page.url)
    move(desk, "审核通过", asked=False)
    expect(desk.locator(".page-head .state")).to_contain_text("已审核")
    desk.context.close()
    page.reload()
    move(page, "签发")
    move(page, "发布")
    expect(state).to_contain_text("已发布")
    raised = page.url
    page.goto(f"{product.url}/responses")
    after = int(row.locator("td").nth(4).inner_text().split("/")[1])
    assert after > before
    assert row.count() == 1, "the same response rose; no second one was opened"

    page.goto(raised)
    page.get_by_label("解除原因").fill("雨势减弱")
    move(page, "解除预警")
    expect(state).to_contain_text("已解除")
