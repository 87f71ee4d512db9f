"""One running product and one real browser for all journeys.

The product is `zhiwan up` as a newcomer starts it: own data folder, free ports, the whole demonstration. Every page a
journey opens is watched: an error on its console, a failed request or a refused content policy fails the journey.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from zhiwan.run.ports import is_free

CHECKOUT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
READY_WITHIN = 240.0
# MapLibre needs WebGL: software rendering where there is no graphics card.
BROWSER_ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.journey)


@dataclass
class Product:
    """A running Zhiwan and what a newcomer knows of it."""

    url: str
    mqtt_port: int
    data: Path
    process: subprocess.Popen[str]
    said: list[str]
    demo: dict[str, Any] = field(default_factory=dict)

    def new_link(self) -> str:
        """A fresh one-time sign-in link, printed by the product's own command."""
        command = [sys.executable, "-m", "zhiwan.run.cli", "link", "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def api(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.demo['token']}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=20, trust_env=False)

    def publish(self, *messages: dict[str, Any], device: str = "", secret: str = "", topic: str = "telemetry") -> None:
        """Publishes as the demonstration's free device (or another) with a stock client; returns after PUBACK."""
        device = device or self.demo["device"]["id"]
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=device, protocol=mqtt.MQTTv311)
        client.username_pw_set(device, secret or self.demo["device"]["secret"])
        client.connect("127.0.0.1", self.mqtt_port)
        client.loop_start()
        try:
            for message in messages:
                sent = client.publish(f"devices/{device}/{topic}", json.dumps(message), qos=1)
                sent.wait_for_publish(10)
                assert sent.is_published()
        finally:
            client.disconnect()
            client.loop_stop()


def free_ports() -> tuple[int, int]:
    """A web port whose neighbour is free too, and an MQTT port."""
    web = next(port for port in range(21000, 29000, 10) if is_free(port) and is_free(port + 1))
    return web, next(port for port in range(web + 2, 29999) if is_free(port))


def start_product(data: Path, *options: str, ports: tuple[int, int] | None = None) -> Product:
    """Starts `zhiwan up` and returns when it says it is ready."""
    port, mqtt_port = ports or free_ports()
    command = [sys.executable, "-m", "zhiwan.run.cli", "up", "--data", str(data)]
    command += ["--port", str(port), "--mqtt-port", str(mqtt_port), *options]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    product = Product(f"http://127.0.0.1:{port}", mqtt_port, data, process, said=[])
    deadline = time.monotonic() + READY_WITHIN
    while not any(line.startswith("Sign in once") for line in product.said):
        try:
            line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
        except queue.Empty:
            line = None
        if line is None:
            stop_product(product)
            logs = "\n".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in (data / "logs").glob("*.log"))
            pytest.fail("zhiwan up did not become ready:\n" + "\n".join(product.said) + "\n" + logs)
        product.said.append(line)
    product.demo = json.loads((data / "demo.json").read_text(encoding="utf-8"))
    return product


def stop_product(product: Product) -> None:
    if product.process.poll() is None:
        product.process.send_signal(signal.SIGINT)
        try:
            product.process.wait(40)
        except subprocess.TimeoutExpired:
            product.process.kill()
            product.process.wait()


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
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


#: Opens a page that is watched: visit("/alarms"), visit("/", width=390).
Visit = Callable[..., Page]


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


def watch(page: Page, troubles: list[str]) -> None:
    """Notes console errors, uncaught exceptions, failed requests and answers of 500 and more."""
    page.on("console", lambda said: troubles.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    page.on("response", lambda got: troubles.append(f"{got.status} {got.url}") if got.status >= 500 else None)


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """The first true answer of `condition`; fails with `what` after the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    return pytest.fail(f"waited {seconds:g} s for {what}")


def seconds_said(product: Product) -> float:
    """When the product said it was ready, in seconds since its start."""
    return max(float(match[1]) for line in product.said if (match := re.match(r"\[\s*([\d.]+)s\]", line)))
