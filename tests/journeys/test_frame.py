"""What every page shares: one switch of the language, light and dark, keyboard, headers. More: test_access.py."""

from __future__ import annotations

from playwright.sync_api import expect

from running import Visit


def test_one_switch_turns_pages_english_and_back(visit: Visit) -> None:
    page = visit("/alarms")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    try:
        page.get_by_role("link", name="Entities").click()
        expect(page.get_by_role("heading", name="Entities", level=1)).to_be_visible()
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
