"""What a person does is found in the audit by the one who watches: searched, read, checked, taken out, and that too."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from running import AuditVisit, Product, Visit


def search(page: Page, label: str, text: str) -> None:
    page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="查询").click()


@pytest.mark.mission("E3")
def test_an_action_is_found_read_and_stands_in_its_chain(visit: Visit, audit_page: AuditVisit) -> None:
    page = visit("/warnings/new")
    page.get_by_label("种类与级别").select_option(label="暴雨预警 蓝色")
    page.get_by_role("button", name="存为草稿").click()
    page.wait_for_url(re.compile(r"/warnings/\d+$"))
    subject = "warning:" + page.url.rsplit("/", 1)[1]
    # Who acts does not read the audit, who reads the audit sees nothing of the city.
    assert page.get_by_role("navigation", name="主菜单").get_by_role("link", name="审计").count() == 0
    page = audit_page("/")
    assert page.get_by_role("navigation", name="主菜单").get_by_role("link").all_inner_texts() == ["审计"]
    page.get_by_role("navigation", name="主菜单").get_by_role("link", name="审计").click()
    search(page, "对象", subject)
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("预警拟稿")
    expect(row).to_contain_text("chief")
    row.locator("a.row-link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("预警拟稿")
    expect(page.get_by_text("与散列相符")).to_be_visible()
    expect(page.get_by_text("接上一条")).to_be_visible()
    expect(page.locator("ins").first).to_be_visible()
    assert page.get_by_role("link", name=subject, exact=True).count() == 0, (
        "there is no page of it for who sees only the audit"
    )


def test_the_chains_are_checked_while_one_waits(audit_page: AuditVisit) -> None:
    page = audit_page("/audit/chains")
    page.get_by_role("button", name="现在核验").click()
    run = page.locator("#audit-run")
    expect(run).to_contain_text(re.compile("排队|核验中|完好"))
    expect(run.get_by_text("完好")).to_be_visible(timeout=60_000)
    expect(run).to_contain_text("并与链头签名相符")
    run.get_by_text("这次核验看不出什么").click()
    expect(run).to_contain_text("同时掌握数据库、签名密钥和签名文件的人")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#audit-run")).to_contain_text("are as they were hashed, and agree with the signed heads.")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")


def test_taking_the_audit_out_needs_a_purpose_and_is_found_in_it(product: Product, audit_page: AuditVisit) -> None:
    page = audit_page("/audit?action=people.sign_in")
    purpose = page.get_by_label("导出用途（会记入审计）")
    page.get_by_role("button", name="导出符合条件的记录").click()
    assert purpose.evaluate("field => field.validity.valueMissing"), "the browser asks for it"
    purpose.fill("季度审计检查")
    with page.expect_download() as told:
        page.get_by_role("button", name="导出符合条件的记录").click()
    text = told.value.path().read_text(encoding="utf-8-sig")
    assert "people.sign_in" in text
    page.goto(f"{product.url}/audit?action=data.export")
    first = page.locator("tbody tr").first
    expect(first).to_contain_text("季度审计检查")
    expect(first).to_contain_text("export:audit")
