"""What every page shares: both languages, light and dark, phone and desk, keyboard, no error on the console."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from running import AuditVisit, Visit

PAGES = (
    "/", "/alarms", "/warnings", "/responses", "/cases", "/entities", "/indicators",
    "/data/set-aside", "/data/quality", "/purposes", "/rules", "/health",
)  # fmt: skip


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_clean_at_a_desk_and_on_a_phone(visit: Visit, path: str) -> None:
    """The fixture fails on console errors; here: a heading, the banner, and no sideways scrolling."""
    for width, height in ((1366, 800), (390, 844)):
        page = visit(path, width=width, height=height)
        expect(page.locator(".demo-banner")).to_contain_text("模拟数据")
        expect(page.locator("main h1").first).to_be_attached()
        page.wait_for_timeout(300)
        assert overflow(page) <= 0, f"{path} is {overflow(page)} px too wide at {width}"


@pytest.mark.parametrize("path", ["/audit", "/audit/chains"])
def test_a_page_of_the_audit_is_clean_too(audit_page: AuditVisit, path: str) -> None:
    page = audit_page(path)
    for width, height in ((1366, 800), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        expect(page.locator("main h1").first).to_be_attached()
        page.wait_for_timeout(300)
        assert overflow(page) <= 0, f"{path} is {overflow(page)} px too wide at {width}"


def test_one_switch_turns_every_page_english_and_back(visit: Visit) -> None:
    page = visit("/alarms")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    try:
        for path in PAGES:
            page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + path)
            own = page.locator("main h1, main h2, nav#menu, main th").all_inner_texts()
            chinese = [text for text in own if any("\u4e00" <= letter <= "\u9fff" for letter in text)]
            assert not chinese, f"{path}: {chinese[:5]}"
    finally:
        page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")


def test_the_wall_is_dark(visit: Visit) -> None:
    page = visit("/alarms")
    page.get_by_role("button", name="深色").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="浅色").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_the_keyboard_reaches_content_and_search(visit: Visit) -> None:
    page = visit("/alarms")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search-box"


def test_security_headers_stand_on_every_page(visit: Visit) -> None:
    page = visit("/alarms")
    answer = page.request.get(page.url)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
