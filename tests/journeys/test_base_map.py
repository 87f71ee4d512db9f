"""A base map of vector tiles under the district: as a PMTiles file of the place, and as MVT tiles of a map service.

It is seen drawn: the colours of its land and its water are on the screen, its source and approval number beside them.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from running import CHECKOUT, Product, start_product, stop_product, watch
from vector_tiles import coast_archive, coast_tile

BOUNDS = (119.0, 28.0, 124.0, 33.0)
SHORE = 121.25
ATTRIBUTION, APPROVAL = "试绘海岸（虚构底图）", "审图号：GS(2026)0000号（虚构）"
#: How many of the map's pixels have each colour, give or take what the screen rounds.
COUNT = """async ([picture, colours]) => {
  const image = new Image();
  image.src = "data:image/png;base64," + picture;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d");
  const rgb = colours.map((colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  });
  pen.drawImage(image, 0, 0);
  const { data } = pen.getImageData(0, 0, image.width, image.height);
  const found = rgb.map(() => 0);
  for (let at = 0; at < data.length; at += 4)
    rgb.forEach((one, n) => { if ([0, 1, 2].every((c) => Math.abs(data[at + c] - one[c]) <= 3)) found[n]++; });
  return found.map((count) => count / (data.length / 4));
}"""


class Tiles(BaseHTTPRequestHandler):
    """A map service: /z/x/y.pbf for every page that asks."""

    def do_GET(self) -> None:
        match = re.fullmatch(r"/(\d+)/(\d+)/(\d+)\.pbf", self.path)
        self.send_response(200 if match else 404)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Type", "application/vnd.mapbox-vector-tile")
        self.end_headers()
        if match:
            self.wfile.write(coast_tile(*map(int, match.groups()), SHORE))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A district of this checkout with a base map in a file of its own."""
    shipped = next((CHECKOUT / "places").glob("*/place.yml")).parent
    copy = Path(shutil.copytree(shipped, tmp_path_factory.mktemp("places") / shipped.name))
    (copy / "maps").mkdir(exist_ok=True)
    (copy / "maps/coast.pmtiles").write_bytes(coast_archive(BOUNDS, range(6, 11), SHORE))
    declare(copy, "file: maps/coast.pmtiles")
    return copy


def declare(place: Path, where: str) -> None:
    """Write the base map into place.yml."""
    text = re.sub(r"\nbase_map: .*", "", (place / "place.yml").read_text("utf-8").rstrip("\n"))
    line = f"\nbase_map: {{{where}, attribution: {ATTRIBUTION}, approval_number: '{APPROVAL}'}}\n"
    (place / "place.yml").write_text(text + line, "utf-8")


@pytest.fixture(scope="module")
def mapped(place: Path, service: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product of this place whose pages may ask the map service too."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ZHIWAN_PLACE", str(place))
        environment.setenv("ZHIWAN_TILES", service)
        running = start_product(tmp_path_factory.mktemp("mapped") / "data", "--no-demo")
        yield running
        stop_product(running)


@pytest.fixture
def page(mapped: Product, browser: Browser) -> Iterator[Page]:
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 1366, "height": 800}, locale="zh-CN")
    page = context.new_page()
    watch(page, troubles)
    page.goto(mapped.new_link())
    yield page
    context.close()
    assert not troubles


def drawn(page: Page, browser: Browser) -> tuple[float, float]:
    """Which parts of the map are land and water of the base map."""
    water = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--zw-water').trim()")
    picture = base64.b64encode(page.locator("#map").screenshot()).decode()
    blank = browser.new_page()
    land, sea = blank.evaluate(COUNT, [picture, ["#eef1ec", water]])
    blank.close()
    return land, sea


def assert_drawn(page: Page, browser: Browser, url: str) -> None:
    page.goto(url)
    expect(page.locator("#map canvas")).to_be_visible(timeout=30_000)
    source = page.locator(".maplibregl-ctrl-attrib")
    expect(source).to_contain_text(ATTRIBUTION, timeout=30_000)
    expect(source).to_contain_text(APPROVAL)
    for _ in range(60):  # software rendering takes its time
        land, sea = drawn(page, browser)
        if land > 0.02 and sea > 0.02:
            break
        page.wait_for_timeout(500)
    assert land > 0.02, "land of the base map"
    assert sea > 0.02, "water of the base map"
    expect(page.locator("#map-problem")).to_be_hidden()


def test_a_pmtiles_file_of_the_place_is_drawn(mapped: Product, page: Page, browser: Browser) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.headers.get("range", "")) if "base.pmtiles" in one.url else None)
    assert_drawn(page, browser, f"{mapped.url}/setup?later=1")
    assert asked
    assert all(one.startswith("bytes=") for one in asked), "only the parts that are shown"


def test_vector_tiles_of_a_map_service_are_drawn(
    mapped: Product, place: Path, service: str, page: Page, browser: Browser
) -> None:
    declare(place, f"url: '{service}/{{z}}/{{x}}/{{y}}.pbf'")
    command = [sys.executable, "-m", "zhiwan.run.cli", "place", "load", "--data", str(mapped.data)]
    subprocess.run(command, check=True, capture_output=True)
    assert_drawn(page, browser, f"{mapped.url}/setup?later=1")
