"""One running product and one real browser for all journeys.

The product is `zhiwan up` as a newcomer starts it: own data folder, free ports, the whole demonstration. Every page a
journey opens is watched: an error on its console, a failed request or a refused content policy fails the journey.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from running import AuditVisit, Product, Visit, attach_product, enrol, start_product, stop_product, watch

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# MapLibre needs WebGL: software rendering where there is no graphics card.
BROWSER_ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
# A server has no loudspeaker: without this its browser stops the sound that a page has begun.
BROWSER_ARGUMENTS += ["--disable-audio-output"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The whole demonstration. ZHIWAN_JOURNEYS_DATA names the data folder of a running one to use instead."""
    if data := os.environ.get("ZHIWAN_JOURNEYS_DATA"):
        yield attach_product(Path(data))
        return
    running = start_product(tmp_path_factory.mktemp("zhiwan") / "data")
    yield running
    stop_product(running)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("ZHIWAN_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail("no Chromium found: run bin/chromium, or set ZHIWAN_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def signed_in(product: Product, browser: Browser) -> dict[str, Any]:
    """Cookies of somebody who came in by the link, once for all journeys that begin at a desk."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(product.new_link())
    page.wait_for_load_state()
    state = context.storage_state()
    context.close()
    return dict(state)


@pytest.fixture(scope="session")
def audit_administrator(product: Product, browser: Browser) -> dict[str, Any]:
    """Cookies of the audit administrator, who had to bind a second factor on the way in."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    page = context.new_page()
    page.goto(product.new_link("audit"))
    enrol(page)
    expect(page.get_by_role("navigation", name="主菜单")).to_be_visible()
    state = context.storage_state()
    context.close()
    return dict(state)


@pytest.fixture
def audit_page(product: Product, browser: Browser, audit_administrator: dict[str, Any]) -> Iterator[AuditVisit]:
    """audit_page("/audit"): a page as the audit administrator sees it; its console must be clean."""
    troubles: list[str] = []
    context = browser.new_context(
        viewport={"width": 1366, "height": 800},
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        storage_state=audit_administrator,  # type: ignore[arg-type]
    )

    def open_page(path: str) -> Page:
        page = context.new_page()
        watch(page, troubles)
        page.goto(product.url + path)
        return page

    yield open_page
    context.close()
    assert not troubles, "the browser's console is not clean"


@pytest.fixture
def visit(product: Product, browser: Browser, signed_in: dict[str, Any]) -> Iterator[Visit]:
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_page(path: str = "/", *, width: int = 1366, height: int = 800, signed: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            storage_state=signed_in if signed else None,  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        watch(page, troubles)
        page.goto(product.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not troubles, "the browser's console is not clean"
