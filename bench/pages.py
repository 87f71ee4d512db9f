"""Pages in a real browser (headless Chromium): first load of the command map, then the other pages; open pages live.

    .venv/bin/python -m bench.pages [--data DIR of a running Zhiwan] [--streams 200]

First load: a browser without cache, cookies of one sign-in. Time is from the start of navigation to the load event and
to the first map frame (the map's own canvas drawn and the network quiet); bytes are what came over the wire, headers
included. Software rendering (no graphics card) shares the two cores with the platform: a person's machine is faster.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, TimeoutError, sync_playwright

from bench.listener import Page as Stream
from bench.listener import signed_in
from bench.measure import CHECKOUT, Result, Used, arguments, percentile, usage
from bench.product import Product, part_name, running

ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PAGES = (
    "/alarms",
    "/cases",
    "/warnings",
    "/entities",
    "/indicators",
    "/data/set-aside",
    "/data/quality",
    "/rules",
    "/health",
)
QUIET = 15_000


@dataclass
class Wire:
    """What came over the network for one page, told by the browser itself."""

    requests: int = 0
    bytes: int = 0
    failed: int = 0

    def follow(self, context: BrowserContext, page: Any) -> None:
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda _: self._add(requests=1))
        session.on("Network.loadingFinished", lambda event: self._add(bytes=int(event["encodedDataLength"])))
        session.on("Network.loadingFailed", lambda event: self._add(failed=not event.get("canceled")))

    def _add(self, requests: int = 0, bytes: int = 0, failed: int = 0) -> None:
        self.requests += requests
        self.bytes += bytes
        self.failed += failed


def load(context: BrowserContext, url: str, wait_for: str | None = None) -> dict[str, Any]:
    """One load of a page; milliseconds by the browser's own clock."""
    page, wire = context.new_page(), Wire()
    wire.follow(context, page)
    began = time.perf_counter()
    answer = page.goto(url, wait_until="load")
    loaded = (time.perf_counter() - began) * 1000
    found: dict[str, Any] = {"status": answer.status if answer else 0}
    if wait_for:
        with contextlib.suppress(TimeoutError):
            page.wait_for_selector(wait_for, timeout=QUIET)
            found["map_there_ms"] = (time.perf_counter() - began) * 1000
    timing = json.loads(page.evaluate("JSON.stringify(performance.getEntriesByType('navigation')[0])"))
    with contextlib.suppress(TimeoutError):
        # An open live stream never ends: quiet means half a second without anything new.
        still, seen = time.perf_counter(), wire.bytes
        while time.perf_counter() - still < 0.5 and time.perf_counter() - began < QUIET / 1000:
            page.wait_for_timeout(50)
            if wire.bytes != seen:
                still, seen = time.perf_counter(), wire.bytes
        found["quiet_ms"] = (still - began) * 1000
    found |= {
        "server_ms": timing["responseStart"] - timing["requestStart"],
        "dom_ms": timing["domContentLoadedEventEnd"],
        "load_ms": loaded,
        "requests": wire.requests,
        "kilobytes": wire.bytes / 1000,
        "failed": wire.failed,
    }
    page.close()
    return found


def fresh(browser: Browser, state: Any) -> BrowserContext:
    return browser.new_context(
        viewport={"width": 1366, "height": 800}, locale="zh-CN", timezone_id="Asia/Shanghai", storage_state=state
    )


@contextlib.contextmanager
def product_of(data: Path | None) -> Iterator[Product]:
    """A running Zhiwan that keeps its data there, or one of our own with the demonstration."""
    if data is None:
        with running() as product:
            yield product
        return
    demo = json.loads((data / "demo.json").read_text(encoding="utf-8"))
    holder = int(json.loads((data / "lock").read_text())["pid"])
    process = subprocess.Popen(["true"], text=True)
    process.wait()
    product = Product(demo["url"], demo["mqtt_port"], data.resolve(), process, 0.0, demo)
    product.used = lambda: usage(holder, part_name)  # type: ignore[method-assign]
    yield product


def streams(product: Product, count: int, seconds: float, result: Result) -> None:
    """Many open pages, as far as the live stream goes, each with all values."""
    client = signed_in(product)
    opened = [Stream(product, values="all") for _ in range(count)]
    for stream in opened:
        stream.open(client)
    time.sleep(1.0)
    before, began = product.used(), time.monotonic()
    hints = [stream.hints for stream in opened]
    time.sleep(seconds)
    took, after = time.monotonic() - began, product.used()
    got = [stream.hints - had for stream, had in zip(opened, hints, strict=True)]
    broken = [stream.problem for stream in opened if stream.problem]
    live = after.get("live", Used(0, 0)).cpu - before.get("live", Used(0, 0)).cpu
    result.add(f"{count} open streams", hints_each=sum(got) / count, fewest=min(got), most=max(got), broken=len(broken),
               live_cpu_share=live / took, reloads=sum(stream.reloads for stream in opened))  # fmt: skip
    result.promise(f"{count} open pages are live (all hear every hint, none breaks)",
                   not broken and min(got) > 0 and max(got) - min(got) <= max(got) * 0.1)  # fmt: skip
    for stream in opened:
        stream.close()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, help="data folder of a running Zhiwan to use instead of an own one")
    parser.add_argument("--repeats", type=int, default=3, help="first loads of the map")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--stream-seconds", type=float, default=5.0)
    options = parser.parse_args()
    path = subprocess.run([CHECKOUT / "bin" / "chromium"], capture_output=True, text=True, check=False).stdout.strip()
    path = path or shutil.which("chromium") or ""
    result = Result(
        "pages",
        "Pages",
        data="the demonstration district",
        load=f"one headless Chromium, {options.repeats} first loads without cache, then each page once with cache; "
        f"{options.streams} open live streams",
    )
    with product_of(options.data) as product, sync_playwright() as playwright:
        result.more["ready_seconds"] = product.ready_seconds
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        context = browser.new_context()
        page = context.new_page()
        page.goto(product.link())
        state = context.storage_state()
        context.close()
        firsts = []
        for n in range(options.repeats):
            context = fresh(browser, state)
            found = load(context, product.url + "/", "canvas.maplibregl-canvas")
            firsts.append(found)
            result.add(f"command map, first load {n + 1}", **found)
            if n == options.repeats - 1:
                result.add("command map, again (cache)", **load(context, product.url + "/", "canvas.maplibregl-canvas"))
                for path_ in PAGES:
                    result.add(path_, **load(context, product.url + path_))
            context.close()
        browser.close()
        # Loaded is when both the document and the map are there; a page of an error is no page.
        there = [
            max(one["load_ms"], one["map_there_ms"]) for one in firsts if one["status"] == 200 and "map_there_ms" in one
        ]
        median = percentile(there, 0.5) if len(there) == len(firsts) else None
        words = f"median {median:.0f} ms" if median is not None else "the map did not come"
        result.promise(f"command map, first load < 2 s ({words})", median is not None and median < 2000)
        most = max(one["kilobytes"] for one in firsts)
        result.promise(f"command map < 1 MB transferred ({most:.0f} KB)", median is not None and most < 1000)
        pages_well = all(cell.get("status", 200) == 200 for cell in result.cells)
        result.promise("every page answers 200", pages_well)
        with contextlib.suppress(httpx.HTTPError):
            streams(product, options.streams, options.stream_seconds, result)
    result.notes.append(f"Cold start until ready, with the demonstration: {result.more['ready_seconds']:.1f} s.")
    result.write(options.results)


if __name__ == "__main__":
    main()
