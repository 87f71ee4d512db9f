"""Who gets in at the MQTT door, and what a device can and cannot do: real broker, real registry, stock client."""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from door_trial import READING, Broker, Device, secret, wait_until

from zhiwan.run.broker_door.decide import Knock, KnownDevice, judge
from zhiwan.run.broker_door.refusals import refusal_in
from zhiwan.run.embedded.postgres import Urls

pytestmark = pytest.mark.nats


def stored(broker: Broker) -> list[tuple[str, bytes]]:
    reader = broker.bus.open_reader("$MQTT_msgs")
    found = reader.pull(1000, 0.2)
    if found:
        reader.ack(found[-1].seq)
    return [(message.subject, message.payload) for message in found]


def counted(urls: Urls, code: str) -> int:
    with psycopg.connect(urls.owner) as connection:
        row = connection.execute("SELECT sum(count) FROM watch_doorcounter WHERE code = %s", [code]).fetchone()
    return int(row[0] or 0) if row else 0


@pytest.mark.mission("A2")
def test_what_a_known_device_has_acknowledged_is_stored(broker: Broker, connect: Callable[..., Device]) -> None:
    device = connect("d1")
    assert device.answer == "Success"
    assert device.publish("devices/d1/telemetry", READING)
    assert stored(broker) == [("$MQTT.msgs.devices.d1.telemetry", READING)]


def test_a_reading_sent_with_qos_0_is_stored_too(broker: Broker, connect: Callable[..., Device]) -> None:
    connect("d2").publish("devices/d2/senml", READING, qos=0)
    reader = broker.bus.open_reader("$MQTT_msgs")
    found = reader.pull(1, 3)
    assert [(m.subject, m.payload) for m in found] == [("$MQTT.msgs.devices.d2.senml", READING)]
    reader.ack(found[-1].seq)


@pytest.mark.parametrize(
    ("client_id", "user", "password", "code"),
    [
        ("d3", None, "wrong", "WRONG_PASSWORD"),
        ("stranger", None, None, "UNKNOWN_DEVICE"),
        ("d1", "d4", None, "FOREIGN_CLIENT_ID"),
        ("d9", None, None, "DEVICE_DISABLED"),
    ],
)
def test_a_wrong_knock_is_refused_and_counted(
    connect: Callable[..., Device], registered: Urls, client_id: str, user: str | None, password: str | None, code: str
) -> None:
    before = counted(registered, code)
    device = connect(client_id, user, password)
    assert device.answer == "Not authorized"
    assert wait_until(lambda: counted(registered, code) == before + 1)


def test_another_devices_client_id_does_not_throw_that_device_out(connect: Callable[..., Device]) -> None:
    victim = connect("d5")
    connect("d5", "d6")
    assert victim.publish("devices/d5/telemetry", READING)
    assert not victim.gone


def test_publishing_as_another_device_stores_nothing_and_is_counted(
    broker: Broker, connect: Callable[..., Device], registered: Urls
) -> None:
    stored(broker)
    before = counted(registered, "FORBIDDEN_TOPIC")
    connect("d7").publish("devices/d8/telemetry", READING)
    assert stored(broker) == []
    assert wait_until(lambda: counted(registered, "FORBIDDEN_TOPIC") == before + 1)


def test_a_message_of_ten_megabytes_ends_the_connection_and_harms_nobody(
    broker: Broker, connect: Callable[..., Device], registered: Urls
) -> None:
    before = counted(registered, "TOO_LARGE")
    other, large = connect("d11"), connect("d12")
    assert not large.publish("devices/d12/telemetry", bytes(10_000_000))
    assert large.gone
    assert other.publish("devices/d11/telemetry", READING)
    assert stored(broker) == [("$MQTT.msgs.devices.d11.telemetry", READING)]
    assert wait_until(lambda: counted(registered, "TOO_LARGE") > before)


def test_a_full_stream_answers_nothing_and_keeps_all_it_acknowledged(
    broker: Broker, connect: Callable[..., Device], registered: Urls
) -> None:
    stored(broker)
    device = connect("d13")
    acknowledged = 0
    while device.publish("devices/d13/telemetry", b"%03d" % acknowledged + bytes(5000)):
        acknowledged += 1
    assert device.gone
    assert [payload[:3] for _, payload in stored(broker)] == [b"%03d" % n for n in range(acknowledged)]
    assert wait_until(lambda: counted(registered, "STREAM_FULL") > 0)


def test_a_device_hears_its_own_commands_only(broker: Broker, connect: Callable[..., Device]) -> None:
    device = connect("d14")
    device.client.subscribe("commands/d14/#", qos=1)
    device.client.subscribe("commands/d15/#", qos=1)
    time.sleep(0.3)
    for name in ("d15", "d14"):
        broker.bus._call(broker.bus._client.publish(f"commands.{name}.restart", name.encode()))
    assert wait_until(lambda: bool(device.heard))
    assert device.heard == [b"d14"]


def test_two_thousand_devices_are_in_within_seconds(broker: Broker) -> None:
    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode()

    def hello(device: str) -> bytes:
        body = text("MQTT") + bytes([4, 0xC2]) + struct.pack(">H", 60) + text(device) + text(device)
        body += text(secret(device))
        return bytes([0x10, len(body)]) + body

    began = time.monotonic()
    sockets = []
    for n in range(100, 2000):
        sockets.append(socket.create_connection((broker.address.mqtt_host, broker.address.mqtt_port), timeout=20))
        sockets[-1].sendall(hello(f"d{n}"))
    answers = [connection.recv(4) for connection in sockets]
    took = time.monotonic() - began
    for connection in sockets:
        connection.close()
    assert answers == [b"\x20\x02\x00\x00"] * 1900
    assert took < 15


NOW = datetime(2026, 7, 1, tzinfo=UTC)


class TestDecision:
    known = KnownDevice(hashlib.sha256(b"s").digest(), True)

    def test_the_right_device_is_let_in(self) -> None:
        assert judge(Knock("a-1", "s", "a-1", "mqtt"), self.known, NOW).code is None

    def test_a_device_secret_does_not_open_the_other_doors(self) -> None:
        assert judge(Knock("a", "s", "a", "nats"), self.known, NOW).code == "NOT_MQTT"

    @pytest.mark.parametrize("name", ["", "a.b", "a>", "*", "a/b", "x" * 65, "名"])
    def test_a_name_that_could_widen_a_permission_is_refused(self, name: str) -> None:
        assert judge(Knock(name, "s", name, "mqtt"), self.known, NOW).code == "BAD_DEVICE_ID"

    def test_an_ordinary_log_line_is_no_refusal(self) -> None:
        assert refusal_in("[1] 2026/01/01 [INF] Server is ready") is None
