"""Ways in, in a browser: a lock is told, a second factor is enrolled and asked, a resident comes in by phone, a session
that is ended on another device is signed out here."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from test_access import violations

from running import Product, code_now, wait_until

Fresh = Callable[..., Page]
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def fresh(browser: Browser) -> Iterator[Fresh]:
    """A browser that knows nobody: fresh(width=390, language="en")."""
    contexts = []

    def open_page(**more: Any) -> Page:
        context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", **more)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def sign_in(page: Page, product: Product, name: str, password: str = "") -> None:
    account = next(one for one in product.demo["accounts"] if one["name"] == name)
    page.goto(f"{product.url}/in")
    page.get_by_label("账号").fill(name)
    page.get_by_label("密码").fill(password or account["password"])
    page.get_by_role("button", name="登录", exact=True).click()


def test_five_wrong_passwords_lock_the_account_and_say_so(product: Product, fresh: Fresh) -> None:
    page = fresh()
    for left in (4, 3, 2, 1):
        sign_in(page, product, "patrol", "wrong password")
        expect(page.get_by_role("alert")).to_contain_text(f"还可再试 {left} 次")
    sign_in(page, product, "patrol", "wrong password")
    expect(page.get_by_role("alert")).to_contain_text("已锁定")
    sign_in(page, product, "patrol")
    expect(page.get_by_role("alert")).to_contain_text("已锁定")
    # The duty chief sees it and lets the account in again.
    chief = fresh()
    chief.goto(product.new_link())
    chief.goto(f"{product.url}/accounts")
    row = chief.get_by_role("row", name=re.compile("patrol"))
    expect(row).to_contain_text("已锁定")
    row.get_by_role("link").click()
    chief.get_by_role("button", name="解锁").click()
    expect(chief.get_by_role("status").filter(has_text="已解锁")).to_be_visible()
    sign_in(page, product, "patrol")
    expect(page.get_by_role("navigation", name="主菜单")).to_be_visible()


def test_a_second_factor_is_enrolled_and_asked_from_then_on(product: Product, fresh: Fresh) -> None:
    page = fresh()
    sign_in(page, product, "drainage")
    page.goto(f"{product.url}/me")
    page.get_by_role("link", name="绑定").click()
    expect(page.get_by_role("img", name=re.compile("二维码"))).to_be_visible()
    assert list(violations(page)) == []
    page.get_by_text("不能扫描").click()
    secret = re.sub(r"\s", "", page.locator("code.expression").inner_text())
    page.get_by_label("输入应用上显示的 6 位动态码").fill(code_now(secret))
    page.get_by_role("button", name="绑定").click()
    codes = page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    assert list(violations(page)) == []
    page.get_by_role("link", name="已保存，继续").click()
    expect(page.locator("#ways")).to_contain_text("已绑定")

    again = fresh(viewport=PHONE)
    sign_in(again, product, "drainage")
    field = again.get_by_label("动态码或恢复码")
    expect(field).to_be_focused()
    assert list(violations(again)) == []
    again.goto(f"{product.url}/alarms")
    expect(again).to_have_url(re.compile(r"/in"))
    again.goto(f"{product.url}/in/second")
    field.fill("000000")
    field.press("Enter")
    expect(again.get_by_role("alert")).to_contain_text("动态码不对")
    used = time.time() // 30
    wait_until(lambda: time.time() // 30 > used, "the next code", seconds=35)
    field.fill(code_now(secret))
    field.press("Enter")
    expect(again.get_by_role("navigation", name="主菜单")).to_be_visible()

    with_paper = fresh()
    sign_in(with_paper, product, "drainage")
    with_paper.get_by_label("动态码或恢复码").fill(codes[0])
    with_paper.get_by_role("button", name="确认").click()
    expect(with_paper.get_by_role("navigation", name="主菜单")).to_be_visible()


def last_code(product: Product, number: str) -> str:
    """The newest code in the outbox that stands in for a gateway."""
    lines = (product.data / "sms" / "outbox.jsonl").read_text(encoding="utf-8").splitlines()
    message = [one for one in map(json.loads, lines) if one["phone"] == number][-1]
    return str(re.findall(r"\b(\d{6})\b", message["text"])[0])


@pytest.mark.mission("E3")
def test_a_resident_comes_in_by_phone_and_sees_only_the_own_page(product: Product, fresh: Fresh) -> None:
    number = f"139{int(time.time()) % 10**8:08}"
    page = fresh(viewport=PHONE)
    page.goto(f"{product.url}/in")
    page.get_by_role("link", name="居民").click()
    page.get_by_label("手机号").fill(number)
    page.get_by_role("button", name="获取验证码").click()
    expect(page.get_by_text(f"*******{number[-4:]}")).to_be_visible()
    assert list(violations(page)) == []
    page.get_by_label("6 位验证码").fill(last_code(product, number))
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page).to_have_url(f"{product.url}/me")
    expect(page.get_by_role("heading", name="身份")).to_be_visible()
    # A resident reads published warnings, and nothing else of the city.
    assert page.get_by_role("navigation", name="主菜单").get_by_role("link").all_inner_texts() == ["预警"]
    assert list(violations(page)) == []
    page.get_by_label("称呼").fill("王阿姨")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status").filter(has_text="已保存")).to_be_visible()
    for path in ("/alarms", "/cases", "/map/state.json"):
        assert page.request.get(product.url + path).status == 403, path
    page.get_by_role("link", name="申请家人代办").click()
    assert list(violations(page)) == []
    page.goto(f"{product.url}/me")
    page.locator("#posts summary").click()
    page.get_by_role("button", name=re.compile("^退出（")).click()
    expect(page).to_have_url(re.compile(r"/in$"))


def test_a_session_ended_on_another_device_is_signed_out_here(product: Product, fresh: Fresh) -> None:
    there, here = fresh(), fresh()
    sign_in(there, product, "shanyang")
    expect(there.locator("#live-state")).to_have_attribute("data-state", "live", timeout=15_000)
    sign_in(here, product, "shanyang")
    here.goto(f"{product.url}/me")
    here.locator("#devices").get_by_role("button", name="退出其他设备").click()
    here.locator("dialog.ask").get_by_role("button", name="确定").click()
    # Its stream is cut, its next ticket refused: nothing of the city stays on that screen, and nobody clicked there.
    expect(there).to_have_url(re.compile(r"/in"), timeout=15_000)
    expect(there.get_by_role("status")).to_contain_text("已在另一台设备上结束")
    expect(here.locator("#devices")).to_contain_text("本机")


def test_a_page_that_nobody_uses_asks_and_then_signs_out(product: Product, fresh: Fresh) -> None:
    page = fresh()
    sign_in(page, product, "environment")
    page.clock.install()
    page.goto(f"{product.url}/me")
    expect(page.locator("#devices")).to_contain_text("本机")
    page.clock.fast_forward("29:10")
    asked = page.locator("dialog.ask")
    expect(asked).to_contain_text("一分钟内将自动退出")
    asked.get_by_role("button", name="继续使用").click()
    expect(asked).to_have_count(0)
    page.clock.fast_forward("29:10")
    expect(asked).to_be_visible()
    page.clock.fast_forward("01:00")
    expect(page).to_have_url(re.compile(r"/in\?next="))
    expect(page.get_by_role("status")).to_contain_text("30 分钟没有操作")


def test_the_last_way_in_is_a_link_made_at_the_machine(product: Product, fresh: Fresh) -> None:
    page = fresh()
    page.goto(product.new_link("zhujing", "--recover"))
    expect(page.get_by_role("heading", name="设置密码")).to_be_visible()
    assert list(violations(page)) == []
    old = next(one for one in product.demo["accounts"] if one["name"] == "zhujing")["password"]
    for new, told in (("short", "至少 10 位"), (old, "不能与现在")):
        page.get_by_label("新密码").fill(new)
        page.get_by_label("再输一次").fill(new)
        page.get_by_role("button", name="保存并登录").click()
        expect(page.get_by_role("alert")).to_contain_text(told)
    page.get_by_label("新密码").fill(f"{old}-Aa1")
    page.get_by_label("再输一次").fill(f"{old}-Aa1")
    page.get_by_role("button", name="保存并登录").click()
    expect(page.get_by_role("navigation", name="主菜单")).to_be_visible()


def test_the_ways_in_by_keyboard_in_english_and_dark(product: Product, fresh: Fresh) -> None:
    page = fresh(viewport=PHONE)
    page.context.add_cookies(
        [
            {"name": "zhiwan_language", "value": "en", "url": product.url},
            {"name": "zhiwan_theme", "value": "dark", "url": product.url},
        ]
    )
    for path, first in (("/in", "Account"), ("/in/phone", "Mobile number"), ("/in/firm", "Unified social credit code")):
        page.goto(product.url + path)
        expect(page.get_by_label(first)).to_be_focused()
        assert list(violations(page)) == [], path
    page.goto(f"{product.url}/in")
    page.keyboard.type("nobody")
    page.keyboard.press("Tab")
    page.keyboard.type("guess")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Tries left")
