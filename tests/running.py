"""The real product for tests that need all of it: `zhiwan up` with its own data folder and free ports."""

from __future__ import annotations

import base64
import json
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import Browser, Page, expect

from zhiwan.run.ports import is_free

CHECKOUT = Path(__file__).resolve().parents[1]
READY_WITHIN = 240.0
#: Opens a page that is watched (tests/journeys/conftest.py): visit("/alarms"), visit("/", width=390).
Visit = Callable[..., Page]
AuditVisit = Callable[[str], Page]


@dataclass
class Product:
    """A running Zhiwan and what a newcomer knows of it."""

    url: str
    mqtt_port: int
    data: Path
    process: subprocess.Popen[str] | None  # None: not ours, it is not stopped
    lines: queue.Queue[str | None]
    said: list[str] = field(default_factory=list)
    demo: dict[str, Any] = field(default_factory=dict)

    def new_link(self, *options: str) -> str:
        """A fresh one-time sign-in link, printed by the product's own command."""
        command = [sys.executable, "-m", "zhiwan.run.cli", "link", "--data", str(self.data), *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def browserless(self) -> httpx.Client:
        """A client that keeps cookies, for what needs no browser."""
        return httpx.Client(base_url=self.url, timeout=20, trust_env=False, follow_redirects=True)

    def read_said(self) -> list[str]:
        """Every line that was printed until now."""
        while not self.lines.empty():
            if (line := self.lines.get()) is not None:
                self.said.append(line)
        return self.said

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


def sign_in(product: Product, browser: Browser, name: str) -> Page:
    """A page of somebody who came in by password; the caller closes its context."""
    account = next(one for one in product.demo["accounts"] if one["name"] == name)
    page = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai").new_page()
    page.goto(f"{product.url}/in")
    page.get_by_label("账号").fill(account["name"])
    page.get_by_label("密码").fill(account["password"])
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.get_by_role("navigation", name="主菜单")).to_be_visible()
    return page


def code_now(secret: str) -> str:
    """What a phone app shows for a second factor, with some seconds left to type it."""
    wait_until(lambda: time.time() % 30 < 24, "a code with some seconds left", seconds=10)
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(time.time())).decode()


def enrol(page: Page) -> str:
    """On the page that asks for a second factor: bind one, note the codes, go on. Its secret."""
    page.get_by_text("不能扫描").click()
    secret = re.sub(r"\s", "", page.locator("code.expression").inner_text())
    page.get_by_label("输入应用上显示的 6 位动态码").fill(code_now(secret))
    page.get_by_role("button", name="绑定").click()
    page.get_by_role("link", name="已保存，继续").click()
    return secret


def free_ports() -> tuple[int, int]:
    """A web port whose neighbour is free too, and an MQTT port; drawn, so that test runs side by side rarely meet."""
    while True:
        web = random.randrange(20000, 30000, 10)
        if all(is_free(port) for port in (web, web + 1, web + 2)):
            return web, web + 2


def start_product(
    data: Path, *options: str, ports: tuple[int, int] | None = None, url: str = "http://127.0.0.1"
) -> Product:
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
    product = Product(f"{url}:{port}", mqtt_port, data, process, lines)
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


def attach_product(data: Path) -> Product:
    """A Zhiwan that somebody started already (`bin/up --data DIR`): quick while writing a journey."""
    demo = json.loads((data / "demo.json").read_text(encoding="utf-8"))
    return Product(demo["url"], demo["mqtt_port"], data, None, queue.Queue(), demo=demo)


def stop_product(product: Product) -> None:
    if product.process is not None and product.process.poll() is None:
        product.process.send_signal(signal.SIGINT)
        try:
            product.process.wait(40)
        except subprocess.TimeoutExpired:
            product.process.kill()
            product.process.wait()


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


def watch(page: Page, troubles: list[str]) -> None:
    """Notes console errors, uncaught exceptions, failed requests and answers of 500 and more."""
    page.on("console", lambda said: troubles.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    page.on("response", lambda got: troubles.append(f"{got.status} {got.url}") if got.status >= 500 else None)
