"""What people and machines are told while a fault lasts: /healthz, the page 运行状态, and the lamp of an open page.

Each is looked at in a thread of its own from the start to the end of the run; `since(moment)` is what was seen later.
"""

from __future__ import annotations

import contextlib
import html
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import sync_playwright

from bench.faults.processes import memory_of
from bench.listener import signed_in
from bench.product import Product

LOOK = 0.3


@dataclass(frozen=True)
class Seen:
    """One look. `where`: healthz, page or lamp; `part`: of the platform; `says`: in the words that were shown."""

    at: float
    where: str
    part: str
    state: str
    says: str

    def words(self) -> str:
        return f"{self.part} {self.state}: {self.says}".strip(": ")


@dataclass
class Eyes:
    """Keeps everything that was not well, with the moment."""

    product: Callable[[], Product]
    browser: str
    seen: list[Seen] = field(default_factory=list)
    well_since: float | None = None  # of /healthz
    lamp: str = ""
    memory: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        self._client = signed_in(self.product())
        self._threads = [
            threading.Thread(target=look, daemon=True, name=f"eyes-{look.__name__}")
            for look in (self._health, self._page, self._open_page, self._memory)
        ]
        for thread in self._threads:
            thread.start()

    def await_lamp(self, seconds: float = 120.0) -> None:
        """Returns when the open page is live: a fault before would be seen by nobody."""
        end = time.monotonic() + seconds
        while self.lamp != "live":
            if time.monotonic() > end:
                raise TimeoutError(f"the open page did not become live: {self.lamp or 'it did not open'}")
            time.sleep(0.2)

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def since(self, moment: float) -> list[Seen]:
        return [one for one in self.seen if one.at >= moment]

    def note(self, where: str, part: str, state: str, says: str) -> None:
        self.seen.append(Seen(time.monotonic(), where, part, state, says))

    # -- /healthz --------------------------------------------------------------------------------------------------

    def _health(self) -> None:
        with httpx.Client(timeout=8, trust_env=False) as client:
            while not self._stop.wait(LOOK):
                try:
                    parts = client.get(f"{self.product().url}/healthz").json()["parts"]
                except (httpx.HTTPError, ValueError, KeyError) as problem:
                    self.well_since = None
                    self.note("healthz", "web", "no answer", type(problem).__name__)
                    continue
                unwell = {name: part for name, part in parts.items() if part.get("state") != "ok"}
                for name, part in unwell.items():
                    self.note("healthz", name, str(part.get("state")), str(part.get("says", "")))
                self.well_since = None if unwell else self.well_since or time.monotonic()

    # -- the page ----------------------------------------------------------------------------------------------------

    def _page(self) -> None:
        while not self._stop.wait(LOOK * 2):
            try:
                answer = self._client.get(f"{self.product().url}/health", headers={"Accept-Language": "zh-Hans"})
            except httpx.HTTPError as problem:
                self.note("page", "web", "no answer", type(problem).__name__)
                continue
            for part, state, says in rows_of(answer.text):
                if state != "正常":
                    self.note("page", part, state, says)
            if answer.status_code != 200:
                self.note("page", "page", str(answer.status_code), headline(answer.text))

    # -- a page that is open -----------------------------------------------------------------------------------------

    def _open_page(self) -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=self.browser, args=["--no-sandbox"])
            page = browser.new_context(locale="zh-CN").new_page()
            page.goto(self.product().link())
            page.goto(f"{self.product().url}/alarms")
            while not self._stop.wait(LOOK):
                with contextlib.suppress(BrowserError):
                    self.lamp, says = page.locator("#live-state").evaluate("one => [one.dataset.state, one.innerText]")
                    if self.lamp != "live":
                        self.note("lamp", "page", self.lamp, says)
            browser.close()

    # -- memory ------------------------------------------------------------------------------------------------------

    def _memory(self) -> None:
        while not self._stop.wait(1.0):
            for part, resident in memory_of(self.product()).items():
                self.memory[part] = max(self.memory.get(part, 0.0), resident)


def rows_of(page: str) -> list[tuple[str, str, str]]:
    """(part, state, what it says) of each row of the page's table of parts."""
    found: list[tuple[str, str, str]] = []
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.S):
        cells = [text_of(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]
        if len(cells) >= 3:
            found.append((cells[0], cells[1], cells[2]))
    return found


def headline(page: str) -> str:
    """What stands largest on a page of trouble."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page, re.S)
    return text_of(found[1] if found else page)[:200]


def text_of(markup: str) -> str:
    """A piece of a page as text."""
    bare = re.sub(r"<(style|script|details|title)\b.*?</\1>|<[^>]+>", " ", markup, flags=re.S)
    return " ".join(html.unescape(bare).split())


def summary(seen: list[Seen], where: str, began: float) -> list[dict[str, Any]]:
    """Each different sentence once, in the order of its first sight, with the seconds since `began`."""
    first: dict[str, float] = {}
    for one in seen:
        if one.where == where:
            first.setdefault(re.sub(r"\d[\d,.]*", "…", one.words()), one.at)
    return [{"words": words, "after": round(at - began, 1)} for words, at in first.items()]
