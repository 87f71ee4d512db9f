"""Who sees what, as the people themselves: grid worker, firm, system administrator; and a reveal in the audit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from running import AuditVisit, Product, Visit, enrol

OWN_TOWN, OTHER_TOWN = "310116101", "310116113"
#: Where business is seen.
BUSINESS = (
    "/",
    "/alarms",
    "/cases",
    "/entities",
    "/warnings",
    "/indicators",
    "/data/set-aside",
    "/purposes",
    "/import",
)


@pytest.fixture
def as_(product: Product, browser: Browser) -> Iterator[object]:
    """as_("grid"): a page of somebody who came in by a link."""
    made: list[BrowserContext] = []

    def enter(name: str) -> Page:
        made.append(browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai"))
        page = made[-1].new_page()
        page.goto(product.new_link(name))
        return page

    yield enter
    for context in made:
        context.close()


@pytest.mark.mission("E4")
def test_a_list_of_people_leaves_with_two_persons_once_and_carries_who_took_it(
    product: Product, as_: Callable[[str], Page]
) -> None:
    asking, other = as_("chief"), as_("deputy")
    asking.goto(f"{product.url}/personal?type=PumpStation")
    for field in ("值守人", "值守电话"):
        asking.get_by_label(field, exact=True).check()
    asking.get_by_label("原因（记入审计）").fill("台风前逐个通知值守人")
    asking.get_by_role("button", name="申请导出").click()
    expect(asking.locator("tbody tr").first).to_contain_text("等待批准")
    assert asking.get_by_role("button", name="批准", exact=True).count() == 0, "nobody lets the own request go"
    other.goto(f"{product.url}/personal")
    other.get_by_label("意见").first.fill("同意")
    other.get_by_role("button", name="批准", exact=True).first.click()
    other.locator("dialog.ask").get_by_role("button", name="确定").click()
    expect(other.locator("tbody tr").first).to_contain_text("已批准，等待领取")
    assert other.get_by_role("button", name="领取（一次）").count() == 0, "only who asked fetches it"
    asking.reload()
    with asking.expect_download() as download:
        asking.get_by_role("button", name="领取（一次）").first.click()
    head, first = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()[:2]
    assert head == "编号,名称,区划代码,值守人,值守电话,领取人"
    assert re.search(r",1\d{10},chief · 区城运中心值班长 · 20\d\d-.* · #\d+$", first), "whole, with the reader's mark"
    asking.reload()
    expect(asking.locator("tbody tr").first).to_contain_text("已领取")
    assert asking.get_by_role("button", name="领取（一次）").count() == 0


@pytest.mark.mission("E4")
def test_a_reveal_names_a_purpose_and_a_reason_and_stands_in_the_audit(visit: Visit, audit_page: AuditVisit) -> None:
    page = visit("/entities/dust-0001")
    field = page.locator("dl.facts dt", has_text="负责人电话").locator("+ dd")
    masked = field.inner_text().split()[0]
    assert re.fullmatch(r"1\d\d\*{4}\d{4}", masked)
    assert page.locator(".reader-mark").count() == 0
    field.locator("summary").click()
    reason = field.get_by_label("查看原因（记入审计）")
    assert reason.evaluate("field => field.validity.valueMissing"), "the browser asks for it"
    field.get_by_label("使用目的").select_option(label="工地扬尘检查联络")
    reason.fill("核实夜间扬尘投诉")
    field.get_by_role("button", name="查看").click()
    expect(field.locator("strong")).to_have_text(re.compile(rf"^{masked[:3]}\d{{4}}{masked[-4:]}$"))
    expect(page.locator(".reader-mark span").first).to_contain_text("chief · 区城运中心值班长")
    page.goto(page.url.split("/reveal/")[0])
    expect(field).to_contain_text(masked)  # once is not for ever
    audit = audit_page("/audit?action=entity.reveal")
    row = audit.locator("tbody tr").first
    expect(row).to_contain_text("chief")
    expect(row).to_contain_text("核实夜间扬尘投诉")
    row.locator("a.row-link").click()
    expect(audit.locator("main")).to_contain_text("site-inspection")
    expect(audit.locator("main")).not_to_contain_text(masked[-4:])


def test_a_grid_worker_finds_another_towns_case_by_no_link(product: Product, as_: object) -> None:
    assert callable(as_)
    with product.api() as api:
        rows = api.get("/cases", params={"size": 200}).raise_for_status().json()["rows"]
        elsewhere = [one for one in rows if not one["area"].startswith(OWN_TOWN)]
        things = api.get("/entities", params={"area": OTHER_TOWN, "size": 3}).raise_for_status().json()["rows"]
        alarms = api.get("/alarms", params={"size": 50}).raise_for_status().json()["rows"]
    assert elsewhere, "the demonstration has cases in several towns"
    page: Page = as_("grid")
    addresses = [f"/cases/{one['id']}" for one in elsewhere[:5]]
    addresses += [f"/entities/{one['id']}" for one in things]
    addresses += [f"/alarms/{one['id']}" for one in alarms if not one["entity"]["area"].startswith(OWN_TOWN)][:3]
    for address in addresses:
        answer = page.request.get(product.url + address)
        assert answer.status == 404, address
    page.goto(product.url + "/cases")
    shown = page.locator("#list").inner_text()
    assert not [one["title"]["zh"] for one in elsewhere if f"#{one['id']} " in shown]


def test_a_firm_sees_its_own_things_and_nobody_elses(product: Product, as_: object) -> None:
    assert callable(as_)
    page: Page = as_("firm")
    page.goto(product.url + "/entities")
    own = page.locator("#list a.row-link, main table a[href^='/entities/']")
    addresses = {link.get_attribute("href") for link in own.all()}
    assert addresses == {f"/entities/dust-000{number}" for number in (1, 2, 3)}
    for address in ("/entities/dust-0004", "/entities/river-0001", "/entities/hand-0001"):
        assert page.request.get(product.url + address).status == 404, address


def test_the_system_administrator_reads_no_business(product: Product, as_: object) -> None:
    assert callable(as_)
    page: Page = as_("system")
    enrol(page)
    menu = page.get_by_role("navigation", name="主菜单").get_by_role("link")
    expect(menu.first).to_be_visible()
    assert not {"指挥图", "告警", "案件", "对象", "预警"} & set(menu.all_inner_texts())
    for path in BUSINESS:
        answer = page.request.get(product.url + path, max_redirects=0)
        assert answer.status in (302, 403), path
