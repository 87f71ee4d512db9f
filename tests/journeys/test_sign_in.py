"""The way in: a link that works once, an account, a wrong password; and the way out."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from running import Product


def fresh(browser: Browser) -> Page:
    return browser.new_context(locale="zh-CN").new_page()


def test_the_link_signs_in_once(product: Product, browser: Browser) -> None:
    link = product.new_link()
    page = fresh(browser)
    page.goto(link)
    expect(page).to_have_url(f"{product.url}/")
    expect(page.get_by_role("navigation", name="主菜单")).to_be_visible()
    again = fresh(browser)
    refused = again.goto(link)
    assert refused is not None
    assert refused.status == 403
    expect(again.get_by_role("alert")).to_contain_text("链接")
    page.context.close()
    again.context.close()


def test_an_account_signs_in_goes_where_it_wanted_and_out(product: Product, browser: Browser) -> None:
    account = product.demo["accounts"][0]
    page = fresh(browser)
    page.goto(f"{product.url}/alarms")
    expect(page).to_have_url(re.compile(r"/in\?next="))
    page.get_by_label("账号").fill(account["name"])
    page.get_by_label("密码").fill("wrong password")
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("不对")
    page.get_by_label("密码").fill(account["password"])
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page).to_have_url(f"{product.url}/alarms")
    page.locator("#posts summary").click()
    page.get_by_role("button", name="退出").click()
    expect(page).to_have_url(re.compile(r"/in$"))
    page.context.close()


def test_nothing_is_shown_to_a_stranger(product: Product) -> None:
    with product.browserless() as stranger:
        for path in ("/", "/alarms", "/entities", "/map/state.json", "/data/set-aside", "/cases"):
            answer = stranger.get(path, follow_redirects=False)
            assert answer.status_code in (302, 401), path
        assert stranger.get("/api/v1/entities").status_code == 401
