"""A real broker with its door, a registry of two thousand devices and stock MQTT clients; see conftest.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import paho.mqtt.client as paho

from zhiwan.kernel.bus.nats_bus import NatsBus
from zhiwan.run.embedded.nats import Address

READING = b'{"values": {"level": 3.3}}'


def secret(device: str) -> str:
    return f"secret-of-{device}"


@dataclass
class Broker:
    address: Address
    bus: NatsBus


@dataclass
class Device:
    """A stock MQTT client and what happened to it."""

    client: paho.Client
    answer: str | None = None
    gone: bool = False
    heard: list[bytes] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, qos: int = 1, wait: float = 2.0) -> bool:
        """Whether the broker acknowledged."""
        info = self.client.publish(topic, payload, qos=qos)
        wait_until(lambda: info.is_published() or self.gone, wait)
        return info.is_published()


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
