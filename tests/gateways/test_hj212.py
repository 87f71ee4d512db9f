"""The HJ 212 door as it runs: the process `zhiwan hj212`, real servers, and plain `nc` as the instrument."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from hj212_frames import MN, PUBLIC, air, damaged, text
from zhiwan.city.people.actions import digest
from zhiwan.kernel.bus.nats_bus import NatsBus, NatsReader
from zhiwan.kernel.sense.decoders.hj212 import Frame, FrameReader, frame, read_packet
from zhiwan.run.embedded.child import become, ourselves
from zhiwan.run.embedded.nats import Address, free_port
from zhiwan.run.embedded.postgres import Urls

pytestmark = pytest.mark.nats
DEVICES = {MN: "123456", "Y80110010000010": "123456", "ZLDSZ20210127": "123456", "off1": "123456"}
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass
class Gateway:
    """The running process, and what it wrote."""

    port: int
    urls: Urls
    stream: NatsReader
    process: subprocess.Popen[bytes]

    def send(self, data: bytes, wait: float = 1.0) -> bytes:
        """What came back to a stock `nc` that sends these bytes, until `wait` seconds after its last one."""
        command = [shutil.which("nc") or "nc", "-q", f"{wait:.0f}", "-w", "10", "127.0.0.1", str(self.port)]
        return subprocess.run(command, input=data, capture_output=True, check=True, timeout=30).stdout

    def counts(self) -> dict[str, int]:
        with psycopg.connect(self.urls.owner) as connection:
            rows = connection.execute("SELECT code, sum(count) FROM watch_doorcounter WHERE door = 'hj212' GROUP BY 1")
            return {code: int(count) for code, count in rows}

    def set_aside(self) -> list[tuple[str, str, str, str]]:
        """(code, device, entity, raw), oldest first."""
        query = "SELECT code, device, entity, raw FROM watch_setaside WHERE stream = 'hj212' ORDER BY id"
        with psycopg.connect(self.urls.owner) as connection:
            return connection.execute(query).fetchall()  # type: ignore[return-value]

    def stored(self) -> list[dict[str, Any]]:
        """Rows that reached the stream since the last call."""
        messages = self.stream.pull(100, 0.3)
        if messages:
            self.stream.ack(messages[-1].seq)
        assert {message.subject for message in messages} <= {"intake.hj212"}
        return [json.loads(line) for message in messages for line in message.payload.splitlines()]


@pytest.fixture(scope="module")
def running(migrated: Urls, nats: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with psycopg.connect(migrated.owner) as connection:
        connection.execute("TRUNCATE registry_entity, registry_device, watch_doorcounter, watch_setaside CASCADE")
        connection.execute(
            "INSERT INTO registry_entity (id, type, name, name_en, town, area, fields)"
            " VALUES ('air-1', 'AirStation', 'a', 'a', '999999001', '999999001', '{}')"
        )
        for mn, password in DEVICES.items():
            connection.execute(
                "INSERT INTO registry_device (id, entity_id, town, secret_hash, enabled, simulated, created_at)"
                " VALUES (%s, 'air-1', '999999001', %s, %s, false, now())",
                [mn, digest(password), mn != "off1"],
            )
    bus = NatsBus(nats.url, nats.credentials_file)
    port, log = free_port(), tmp_path_factory.mktemp("hj212") / "hj212.log"
    environment = {
        **os.environ,
        "ZHIWAN_DATABASE_URL": migrated.login,
        "ZHIWAN_NATS_URL": nats.url,
        "ZHIWAN_NATS_CREDENTIALS_FILE": str(nats.credentials_file),
        "ZHIWAN_PLACE": "",
        "DJANGO_SETTINGS_MODULE": "zhiwan.city.settings",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "zhiwan.run.cli", "hj212", "--port", str(port)],
            env=environment, stdout=out, stderr=out, preexec_fn=become(ourselves(), signal.SIGKILL),
        )  # fmt: skip
    # Not by knocking: a knock on an ephemeral port nobody holds yet may connect to itself.
    assert wait_until(lambda: "HJ 212 on" in log.read_text(), 30), log.read_text()
    reader = bus.open_reader("INTAKE")
    yield Gateway(port, migrated, reader, process)
    process.terminate()
    assert process.wait(10) == 0, log.read_text()
    bus.close()


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    """The gateway with nothing counted, kept or waiting."""
    running.stored()
    time.sleep(1.2)  # what the test before caused is written by now
    with psycopg.connect(running.urls.owner) as connection:
        connection.execute("TRUNCATE watch_doorcounter, watch_setaside")
    return running


def wait_until(condition: Callable[[], Any], seconds: float = 6.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


def minutes_ago(minutes: int) -> datetime:
    return (datetime.now(SHANGHAI) - timedelta(minutes=minutes)).replace(microsecond=0)


@pytest.mark.skipif(not PUBLIC.exists(), reason="needs the public test frames; ZHIWAN_MEASURED_DATA says where")
def test_of_the_seven_public_frames_the_four_right_ones_are_taken(gateway: Gateway) -> None:
    gateway.send(PUBLIC.read_bytes())
    assert wait_until(lambda: gateway.counts().get("taken") == 4), gateway.counts()
    assert gateway.counts()["FRAME_CRC"] == 3
    kept = [raw for code, _, _, raw in gateway.set_aside() if code == "FRAME_CRC"]
    sent = PUBLIC.read_text().splitlines()[:3]
    assert [raw[:100] for raw in kept] == [line.replace("123456", "***")[:100] for line in sent]
    # They speak of 2019 and 2021: older than a live door takes, and each says so.
    assert gateway.counts()["TOO_OLD"] == 4
    assert {(device, entity) for code, device, entity, _ in gateway.set_aside() if code == "TOO_OLD"} == {
        ("Y80110010000010", "air-1"), ("ZLDSZ20210127", "air-1"),
    }  # fmt: skip
    assert gateway.stored() == []


def test_readings_of_now_reach_the_stream_and_damage_beside_them_costs_nothing(gateway: Gateway) -> None:
    first, second = minutes_ago(10), minutes_ago(5)
    frames = [frame(text(air(at, a34004=at.minute, a21005=0.7))) for at in (first, second)]
    gateway.send(b"noise" + frames[0] + damaged(text(air(first, a34002=1))) + frames[1])
    assert wait_until(lambda: gateway.counts() == {"taken": 2, "FRAME_CRC": 1, "FRAME_NOISE": 1}), gateway.counts()
    assert gateway.stored() == [
        {"device": MN, "at": at.timestamp() * 1000, "values": {"pm25": at.minute, "co": 0.7}} for at in (first, second)
    ]


def test_the_answer_comes_after_the_stream_has_it(gateway: Gateway) -> None:
    asked = frame(text(air(minutes_ago(1), a34004=9), flag=5))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as line:
        for at in range(0, len(asked), 7):  # split as a slow modem does
            line.sendall(asked[at : at + 7])
        (found,) = FrameReader().feed(line.recv(4096))
        assert len(gateway.stored()) == 1
    assert isinstance(found, Frame)
    packet = read_packet(found.text)
    assert (packet.cn, packet.qn, packet.mn) == ("9014", "20261124120000123", MN)  # type: ignore[union-attr]


def test_no_answer_where_none_is_asked(gateway: Gateway) -> None:
    assert gateway.send(frame(text(air(minutes_ago(1), a34004=9), flag=4))) == b""


def test_packets_of_one_message_are_joined(gateway: Gateway) -> None:
    at = minutes_ago(2)
    second = frame(text("a34002-Rtd=40,a34002-Flag=N", flag=7, more="PNUM=2;PNO=2;"))
    first = frame(text(air(at, a34004=9), flag=7, more="PNUM=2;PNO=1;"))
    answered = FrameReader().feed(gateway.send(second + first))
    assert len(answered) == 2
    rows = gateway.stored()
    assert {row["at"] for row in rows} == {at.timestamp() * 1000}
    assert [row["values"] for row in rows] == [{"pm25": 9}, {"pm10": 40}]


WHO = {
    "a wrong password": (text("x=1", pw="654321"), "WRONG_PASSWORD"),
    "an unknown device": (text("x=1", mn="nobody"), "UNKNOWN_DEVICE"),
    "a disabled device": (text("x=1", mn="off1"), "DEVICE_DISABLED"),
    "a command": (text("x=1", cn="3019"), "COMMAND_UNKNOWN"),
    "no fields": (b"hello", "FRAME_FIELDS"),
}


@pytest.mark.parametrize("name", WHO)
def test_who_and_what_is_not_taken(gateway: Gateway, name: str) -> None:
    said, code = WHO[name]
    assert gateway.send(frame(said)) == b""
    assert wait_until(lambda: gateway.counts() == {code: 1}), gateway.counts()
    ((kept, _, _, raw),) = gateway.set_aside()
    assert kept == code
    assert "654321" not in raw
    assert gateway.stored() == []


def test_values_with_a_flag_are_shown_once_and_counted_always(gateway: Gateway) -> None:
    said = [air(minutes_ago(n), a34004=9, a34002=5).replace("a34002-Flag=N", "a34002-Flag=D") for n in (3, 2, 1)]
    gateway.send(b"".join(frame(text(cp)) for cp in said))
    assert wait_until(lambda: gateway.counts() == {"taken": 3, "DATA_FLAG": 3}), gateway.counts()
    assert [(code, device, entity) for code, device, entity, _ in gateway.set_aside()] == [("DATA_FLAG", MN, "air-1")]
    assert [row["values"] for row in gateway.stored()] == [{"pm25": 9}] * 3


def test_a_sender_of_nonsense_is_hung_up_on(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line:
        ended = False
        for _ in range(200):
            try:
                line.sendall(b"x" * 8192)
            except OSError:
                ended = True
                break
            time.sleep(0.005)
    assert ended
    assert wait_until(lambda: gateway.counts().get("FRAME_NOISE", 0) >= 50)
    assert gateway.send(frame(text(air(minutes_ago(1), a34004=9), flag=5)))  # others are served


def test_it_gives_signs_of_life(gateway: Gateway) -> None:
    def told() -> datetime | None:
        with psycopg.connect(gateway.urls.owner) as connection:
            row = connection.execute("SELECT at FROM watch_heartbeat WHERE process = 'hj212'").fetchone()
        return row[0] if row else None

    assert wait_until(lambda: (at := told()) and datetime.now(UTC) - at < timedelta(seconds=8))
