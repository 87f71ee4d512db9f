"""A device is revoked on the page of its thing: the client that was connected is cut, and comes back when restored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import paho.mqtt.client as paho
import pytest
from playwright.sync_api import Page, expect

from running import Product, Visit, wait_until


@dataclass
class Box:
    """The device itself, a stock client that does not try again by itself."""

    client: paho.Client
    answer: str = ""
    gone: bool = False


@pytest.fixture
def sign_in(product: Product) -> Iterator[object]:
    made: list[paho.Client] = []

    def connect() -> Box:
        device = product.demo["device"]
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=device["id"], reconnect_on_failure=False)
        client.username_pw_set(device["id"], device["secret"])
        box = Box(client)
        client.on_connect = lambda _c, _u, _f, reason, _p: setattr(box, "answer", str(reason))
        client.on_disconnect = lambda *_: setattr(box, "gone", True)
        client.connect("127.0.0.1", product.mqtt_port)
        client.loop_start()
        made.append(client)
        wait_until(lambda: bool(box.answer) or box.gone, "an answer of the broker")
        return box

    yield connect
    for client in made:
        client.disconnect()
        client.loop_stop()


def confirm(page: Page) -> None:
    page.locator("dialog.ask").get_by_role("button", name="确定").click()


def test_a_revoked_device_goes_silent(product: Product, visit: Visit, sign_in: object) -> None:
    assert callable(sign_in)
    id = product.demo["device"]["id"]
    box = sign_in()
    assert box.answer == "Success"
    page = visit(f"/entities/{id}", width=390)
    card = page.locator(f"#device-{id}")
    wait_until(
        lambda: bool(page.reload()) and card.get_by_text("在线，自").is_visible(), "the page says it is connected"
    )
    card.get_by_label("吊销原因").fill("设备被盗")
    card.get_by_role("button", name="吊销").click()
    confirm(page)
    expect(card.get_by_text("已吊销")).to_be_visible()
    expect(card.get_by_text("设备被盗")).to_be_visible()
    wait_until(lambda: box.gone, "the connection is cut", seconds=5)
    assert sign_in().answer == "Not authorized"
    card.get_by_role("button", name="恢复").click()
    confirm(page)
    expect(card.get_by_text("已吊销")).to_have_count(0)
    wait_until(lambda: sign_in().answer == "Success", "it comes in again")


def test_a_new_secret_is_shown_once_and_may_be_copied(product: Product, visit: Visit) -> None:
    page = visit("/entities?type=LampPost")
    page.locator("main a[href^='/entities/']").first.click()
    page.wait_for_url("**/entities/*")
    address = page.url
    card = page.locator("section[id^='device-']").first
    card.get_by_role("button", name="换密钥").click()
    confirm(page)
    expect(page.get_by_text("只显示这一次")).to_be_visible()
    assert len(page.locator("#secret").inner_text().strip()) >= 20
    page.get_by_role("button", name="复制").click()
    page.goto(address)
    expect(card.get_by_text("旧密钥有效至")).to_be_visible()


def test_a_command_is_asked_taken_and_answered(product: Product, visit: Visit) -> None:
    with product.api() as api:
        posts = api.get("/entities", params={"type": "LampPost", "size": 50}).raise_for_status().json()["rows"]
    simulated = next(one["id"] for one in posts if one["id"] not in product.demo["by_hand"])
    page = visit(f"/entities/{simulated}")
    card = page.locator("section[id^='device-']").first
    card.get_by_label("调光").fill("40")
    card.get_by_role("button", name="发指令", exact=True).click()
    confirm(page)
    commands = card.locator("ul[id^='commands-']")
    expect(commands).to_contain_text("40 %")
    expect(commands.get_by_text("已答复")).to_be_visible(timeout=20_000)
    expect(commands).to_contain_text("模拟设备已收到")
