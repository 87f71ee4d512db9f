"""What the tests of the door share: one broker with its door a module, one registry behind it."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import psycopg
import pytest
from door_trial import Broker, Device, secret, wait_until

from zhiwan.kernel.bus.messages import INTAKE, MQTT
from zhiwan.kernel.bus.nats_bus import NatsBus
from zhiwan.run.broker_door.running import Setting, serve
from zhiwan.run.embedded.nats import EmbeddedNats, free_port
from zhiwan.run.embedded.postgres import Urls


@pytest.fixture(scope="module")
def registered(migrated: Urls) -> Iterator[Urls]:
    clear = "TRUNCATE registry_entity, registry_device, watch_doorcounter CASCADE"
    with psycopg.connect(migrated.owner) as connection:
        connection.execute(clear)
        connection.execute(
            "INSERT INTO registry_entity (id, type, name, name_en, town, area, fields)"
            " VALUES ('e', 'WaterLevelStation', 'e', 'e', '999999001', '999999001', '{}')"
        )
        rows = [(f"d{n}", hashlib.sha256(secret(f"d{n}").encode()).digest(), n != 9) for n in range(2000)]
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO registry_device (id, entity_id, town, secret_hash, enabled, simulated, created_at)"
                " VALUES (%s, 'e', '999999001', %s, %s, true, now())",
                rows,
            )
    yield migrated
    with psycopg.connect(migrated.owner) as connection:
        connection.execute(clear)  # the next module of this process begins with an empty registry


@pytest.fixture(scope="module")
def broker(registered: Urls) -> Iterator[Broker]:
    """A broker with a small stream and its door in a thread."""
    data = Path(tempfile.mkdtemp(prefix="zw-"))
    server = EmbeddedNats(data, free_port(), streams=(dataclasses.replace(MQTT, max_bytes=60_000), INTAKE))
    address = server.start()
    ready: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def run() -> None:
        stop = asyncio.Event()
        ready.append((asyncio.get_running_loop(), stop))
        setting = Setting(registered.login, address.url, address.door_file, address.credentials_file, address.log)
        await serve(setting, stop)

    door = threading.Thread(target=lambda: asyncio.run(run()))
    door.start()
    bus = NatsBus(address.url, address.credentials_file)
    time.sleep(0.7)
    yield Broker(address, bus)
    bus.close()
    loop, stop = ready[0]
    loop.call_soon_threadsafe(stop.set)
    door.join(10)
    server.stop()
    shutil.rmtree(data)


@pytest.fixture
def connect(broker: Broker) -> Iterator[Callable[..., Device]]:
    made: list[Device] = []

    def make(
        client_id: str, user: str | None = None, password: str | None = None, *, lasting: bool = False, hears: str = ""
    ) -> Device:
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not lasting)
        name = user if user is not None else client_id
        client.username_pw_set(name, password if password is not None else secret(name))
        client.reconnect_delay_set(60, 120)
        device = Device(client)

        def connected(_c: paho.Client, _u: object, _f: object, reason: object, _p: object) -> None:
            if hears:
                client.subscribe(hears, qos=1)
            device.answer = str(reason)

        client.on_connect = connected
        client.on_disconnect = lambda *_: setattr(device, "gone", True)
        client.on_message = lambda _c, _u, message: device.heard.append(message.payload)
        client.connect(broker.address.mqtt_host, broker.address.mqtt_port)
        client.loop_start()
        made.append(device)
        wait_until(lambda: device.answer is not None or device.gone)
        return device

    yield make
    for device in made:
        device.client.disconnect()
        device.client.loop_stop()
