"""Every page for everybody: axe-core finds nothing, in both languages and themes, at a desk and on a phone; nothing is
wider than the window, and (the fixture sees to it) the console is clean.

The pages are found by walking the product's own links from the map, so a new page is looked at without being listed.
Rules: WCAG 2.2 A and AA, and axe's best practices. axe-core (MPL-2.0) is a tool of these tests and never shipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from running import AuditVisit, Product, Visit

AXE = Path(__file__).parents[2] / "src/zhiwan/city/portal/assets/node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
DESK, PHONE = {"width": 1366, "height": 800}, {"width": 390, "height": 844}
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BANNER = {"zh-hans": "模拟数据", "en": "Simulated data"}
OTHER_THEME = {"light": "dark", "dark": "light"}
BEGIN = ("/", "/?view=table", "/search?q=村", "/story", "/alarms/there-is-none", "/there-is-none")
NOT_PAGES = re.compile(r"^/(out|api/|in/|static/|metrics|healthz|ca\.crt|map/)|\.(csv|xlsx|json)$|[?&]format=")
#: What the walk has to meet at least: if one is missing, the walk is blind.
MUST = {
    "/", "/?view", "/search?q", "/alarms", "/alarms/*", "/warnings", "/warnings/new", "/warnings/outside",
    "/warnings/*", "/responses", "/cases", "/cases/*", "/entities", "/entities/*", "/indicators", "/indicators/*",
    "/data/set-aside", "/data/quality", "/purposes", "/rules", "/rules/*", "/health", "/backups", "/me",
    "/accounts", "/accounts/*",
}  # fmt: skip
MUST_OF_THE_AUDIT = {"/audit", "/audit/*", "/audit/chains", "/me"}


def sort_of(link: str) -> str:
    """Pages of one template: `/alarms/6ba2…` and `/alarms/77c1…` are the same sort, filters of a list too."""
    parts = urlsplit(link)
    path = re.sub(
        r"^/(alarms|warnings|responses|cases|entities|indicators|rules)/(?!new|outside)[^/]+$", r"/\1/*", parts.path
    )
    path = re.sub(r"^/audit/[^/]+/\d+$", "/audit/*", path)  # records of every chain are one sort
    path = re.sub(r"/\d+(?=/|$)", "/*", path)
    return path + next((f"?{name}" for name in ("view", "q") if f"{name}=" in parts.query), "")


@pytest.fixture(scope="module")
def pages(product: Product, signed_in: dict[str, Any], browser: Any) -> list[str]:
    """One address of each sort of page."""
    context = browser.new_context(storage_state=signed_in)
    page = context.new_page()
    page.goto(product.url + "/warnings/new")  # a fresh demonstration has no warning yet
    page.get_by_role("button", name="存为草稿").click()
    found = walk(page, product, [*BEGIN, urlsplit(page.url).path])
    context.close()
    assert not MUST - found.keys(), "the walk did not meet these pages"
    return list(found.values())


@pytest.fixture(scope="module")
def pages_of_the_audit(product: Product, audit_administrator: dict[str, Any], browser: Any) -> list[str]:
    """Those that only its administrator opens."""
    context = browser.new_context(storage_state=audit_administrator)
    found = walk(context.new_page(), product, ["/audit", "/me"])
    context.close()
    assert not MUST_OF_THE_AUDIT - found.keys(), "the walk did not meet these pages"
    return list(found.values())


def walk(page: Page, product: Product, begin: list[str]) -> dict[str, str]:
    """Sort of page → one of its addresses, following links. A link that is refused should not have been offered."""
    found: dict[str, str] = {}
    dead: list[str] = []
    queue = list(begin)
    while queue:
        link = queue.pop(0).split("#")[0]
        if NOT_PAGES.search(link) or sort_of(link) in found:
            continue
        answer = page.request.get(product.url + link)
        if answer.status >= 400 and "there-is-none" not in link:
            dead.append(f"{answer.status} {link}")
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        found[sort_of(link)] = link
        queue += [href for href in re.findall(r'<a [^>]*href="([^"]+)"', answer.text()) if href.startswith("/")]
    assert not dead, "links that lead nowhere"
    return found


def set_choice(page: Page, product: Product, language: str, theme: str) -> None:
    page.context.add_cookies(
        [
            {"name": "zhiwan_language", "value": language, "url": product.url},
            {"name": "zhiwan_theme", "value": theme, "url": product.url},
        ]
    )


def let_settle(page: Page) -> None:
    """Charts and maps have drawn themselves again and transitions have ended: a colour that axe reads in the middle of
    one is nobody's. What begins again for ever (a pulse, a value that flashes with each reading) is not waited for."""
    page.wait_for_timeout(120)
    page.evaluate(
        """async () => {
            document.body.getBoundingClientRect()  // transitions begin when the style is asked for
            const passing = document.getAnimations().filter(one => one instanceof CSSTransition)
            await Promise.allSettled(passing.map(one => one.finished))
        }"""
    )


def violations(page: Page, only: str = "") -> Iterator[str]:
    """What axe finds on the open page, a line each; by all its rules, or by this one."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE.read_text(encoding="utf-8"))  # past the content policy, which refuses a script tag
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(r => r.violations)",
        [only] if only else TAGS,
    )
    for problem in found:
        for node in problem["nodes"]:
            # WCAG 2.5.8 excepts targets whose place is essential: a pin stands where its alarm is, be another close
            # by. The same alarms are in the list beside the map and in its table.
            if problem["id"] == "target-size" and "alarm-pin" in node["html"]:
                continue
            why = next((check["message"] for check in node["any"] + node["all"] + node["none"]), "")
            yield f"{problem['id']}: {node['html'][:160]} ({why[:160]})"


def frame_problems(page: Page, language: str) -> Iterator[str]:
    """What every page owes its reader, whatever it shows: heading, banner, no scrolling sideways, one language."""
    try:  # a chart takes its new width a moment after the window does
        page.wait_for_function(f"{TOO_WIDE} <= 0", timeout=10_000)
    except PlaywrightTimeout:
        yield f"{page.evaluate(TOO_WIDE)} px too wide"
    if not page.locator("main h1").count():
        yield "no heading"
    banner = page.locator(".demo-banner").all_inner_texts()
    # Administrators see nothing of the city, so nothing simulated either.
    if not any(BANNER[language] in text for text in banner) and "/audit" not in page.locator("nav#menu").inner_html():
        yield f"the banner says {banner}"
    if language == "en":
        own = page.locator("main h2, nav#menu, main th").all_inner_texts()
        yield from (f"not in English: {text}" for text in own if any("\u4e00" <= letter <= "\u9fff" for letter in text))


@pytest.mark.parametrize(("language", "theme"), [("zh-hans", "light"), ("en", "dark")])
def test_every_page_is_clean_and_axe_finds_nothing(
    product: Product,
    visit: Visit,
    audit_page: AuditVisit,
    pages: list[str],
    pages_of_the_audit: list[str],
    language: str,
    theme: str,
) -> None:
    problems = look_at(visit("/health"), product, pages, language, theme)
    problems |= look_at(audit_page("/audit"), product, pages_of_the_audit, language, theme)
    assert not problems, "\n".join(f"{where}: {problem}" for problem, where in problems.items())


def look_at(page: Page, product: Product, links: list[str], language: str, theme: str) -> dict[str, str]:
    """What axe finds on these pages → where it found it first."""
    set_choice(page, product, language, theme)
    problems: dict[str, str] = {}
    for link in links:
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        if "there-is-none" in link:
            continue  # their 404 is an error on the console; looked at below
        page.goto(product.url + link)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            let_settle(page)
            for problem in (*frame_problems(page, language), *violations(page)):
                problems.setdefault(problem, f"{link} at {size['width']} px")
        # The other theme is the same page in other colours: the attribute that the server would have written.
        page.evaluate("theme => { document.documentElement.dataset.bsTheme = theme }", OTHER_THEME[theme])
        let_settle(page)
        for problem in violations(page, only="color-contrast"):
            problems.setdefault(problem, f"{link}, {OTHER_THEME[theme]}")
    return problems


@pytest.mark.parametrize("path", ["/in", "/in/no-such-link", "/there-is-none", "/alarms/there-is-none"])
def test_pages_of_those_who_are_outside_or_lost(product: Product, browser: Any, signed_in: Any, path: str) -> None:
    for state in (None, signed_in):
        context = browser.new_context(storage_state=state, viewport=PHONE)
        page = context.new_page()
        for language, theme in (("zh-hans", "light"), ("en", "dark")):
            set_choice(page, product, language, theme)
            page.goto(product.url + path)
            assert list(violations(page)) == [], f"{path} in {language}, {theme}"
        context.close()


def test_the_keyboard_walks_the_page_in_reading_order(visit: Visit) -> None:
    """Skip link, header, menu, content: nobody is caught, nothing is focused out of sight."""
    page = visit("/alarms")
    seen: list[str] = []
    for _ in range(80):
        page.keyboard.press("Tab")
        place = page.evaluate(
            "() => document.activeElement.closest('.skip, .demo-banner, .topbar, nav, main')?.tagName ?? 'BODY'"
        )
        if place == "BODY" and seen:
            break
        if not seen or seen[-1] != place:
            seen.append(place)
        box = page.evaluate("() => document.activeElement.getClientRects().length")
        assert box, "the focus is on something that cannot be seen"
    assert [place for place in seen if place in {"A", "HEADER", "NAV", "MAIN"}][:4] == ["A", "HEADER", "NAV", "MAIN"]
