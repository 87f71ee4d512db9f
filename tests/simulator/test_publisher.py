"""The simulator's clients against a real broker: all come in, each PUBACK is counted, a wrong secret stays outside."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nats
import pytest

from zhiwan.run.embedded.nats import binary, free_port
from zhiwan.run.simulator.fleet import SimDevice
from zhiwan.run.simulator.publisher import Publisher

pytestmark = pytest.mark.nats
USERS = {"d-1": "one", "d-2": "two", "d-3": "three"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[Callable[[], None], Callable[[], None], int, int]]:
    """A broker that knows three devices; (start, stop, client port, MQTT port)."""
    ports = free_port(), free_port()
    users = ", ".join(f'{{user: "{user}", password: "{secret}"}}' for user, secret in {**USERS, "test": "test"}.items())
    config = tmp_path / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{ports[0]}"\nserver_name: "sim-test"\njetstream: {{store_dir: "{tmp_path}/js"}}\n'
        f'mqtt: {{host: "127.0.0.1", port: {ports[1]}}}\nauthorization: {{users: [{users}]}}\n'
    )
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        running.append(subprocess.Popen([str(binary()), "--config", str(config)], stderr=subprocess.DEVNULL))

    def stop() -> None:
        while running:
            process = running.pop()
            process.kill()
            process.wait()

    start()
    yield start, stop, *ports
    stop()


def device(number: int) -> SimDevice:
    return SimDevice(
        id=f"d-{number}", type="T", name="", name_en="", area="990101001001", town="990101001", lon=0, lat=0,
        every=timedelta(seconds=1), signals={}, fields={}, decimals={}, number=number,
    )  # fmt: skip


def report(one: SimDevice, at: datetime, count: int) -> Iterator[dict[str, Any]]:
    yield {"at": at.isoformat(), "values": {"level": float(count)}}


def wait_for(what: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


async def stored(port: int) -> set[str]:
    """Subjects of what the broker keeps of MQTT publishes."""
    client = await nats.connect(f"nats://127.0.0.1:{port}", user="test", password="test")
    subscription = await client.jetstream().subscribe("$MQTT.msgs.devices.>", ordered_consumer=True)
    try:
        return {(await subscription.next_msg(10)).subject for _ in range(6)}
    finally:
        await client.close()


def test_devices_come_in_publish_and_come_back(
    broker: tuple[Callable[[], None], Callable[[], None], int, int],
) -> None:
    start, stop, port, mqtt = broker
    secrets = USERS | {"d-3": "wrong"}
    publisher = Publisher([device(1), device(2), device(3)], secrets, report, host="127.0.0.1", port=mqtt)
    thread = threading.Thread(target=publisher.run, daemon=True)
    thread.start()
    try:
        wait_for(lambda: publisher.counts.acknowledged >= 6)
        assert publisher.counts.connected == 2
        wait_for(lambda: publisher.counts.refused >= 1)
        assert asyncio.run(stored(port)) == {f"$MQTT.msgs.devices.d-{number}.telemetry" for number in (1, 2)}
        stop()
        wait_for(lambda: publisher.counts.lost == 2)
        start()
        before = publisher.counts.acknowledged
        wait_for(lambda: publisher.counts.connected == 4)
        wait_for(lambda: publisher.counts.acknowledged >= before + 4)
    finally:
        publisher.stop()
        thread.join(5)
    assert not thread.is_alive()
    assert publisher.counts.published - publisher.counts.acknowledged < 4
    assert publisher.counts.dropped == 0
