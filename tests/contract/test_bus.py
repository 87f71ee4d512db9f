"""Both buses keep the contract; what only NATS can break is tested on it alone."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bus_contract import BusContract, drain
from nats.aio.msg import Msg

from zhiwan.kernel.bus.lean_reader import Delivery
from zhiwan.kernel.bus.memory import MemoryBus
from zhiwan.kernel.bus.messages import INTAKE, LIVE_CHANGES, MQTT, BusUnavailable
from zhiwan.kernel.bus.nats_bus import NatsBus, NatsReader
from zhiwan.kernel.bus.port import Bus
from zhiwan.run.embedded.nats import Address, EmbeddedNats, free_port

SMALL = (dataclasses.replace(INTAKE, max_bytes=200_000), MQTT)


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> Bus:
        return MemoryBus(SMALL)


@pytest.fixture(scope="module")
def small_server() -> Iterator[Address]:
    """A server of its own: one of these tests fills a stream."""
    data = Path(tempfile.mkdtemp(prefix="zw-"))
    server = EmbeddedNats(data, free_port(), streams=SMALL)
    yield server.start()
    server.stop()
    shutil.rmtree(data)


@pytest.mark.nats
class TestNatsBus(BusContract):
    @pytest.fixture
    def bus(self, small_server: Address) -> Iterator[Bus]:
        bus = NatsBus(small_server.url, small_server.credentials_file)
        old = bus.open_reader("INTAKE")
        while old.waiting():
            if found := old.pull(1000, 0.2):
                old.ack(found[-1].seq)
        yield bus
        bus.close()

    def test_what_a_command_tells_pages_as_its_last_word_arrives(self, bus: NatsBus, small_server: Address) -> None:
        heard: list[bytes] = []

        async def hear(message: Msg) -> None:
            heard.append(message.data)

        bus._call(bus._client.subscribe(LIVE_CHANGES, cb=hear))
        bus.ping()
        program = "import django; django.setup(); from zhiwan.city.watch.hints import announce; announce([{'n': 1}])"
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "zhiwan.city.settings",
            "ZHIWAN_NATS_URL": small_server.url,
            "ZHIWAN_NATS_CREDENTIALS_FILE": str(small_server.credentials_file),
        }
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        bus.ping()
        assert heard == [b'[{"n":1}]']

    def test_a_message_lost_on_the_way_comes_again_before_any_later_one(
        self, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader = bus.open_reader("INTAKE")
        for n in range(6):
            bus.publish("intake.api", b"%d" % n)
        whole = NatsReader._fetch

        def lossy(self: NatsReader, most: int, wait: float) -> list[Delivery]:
            return [delivery for delivery in whole(self, most, wait) if delivery[2] != b"2"]

        monkeypatch.setattr(NatsReader, "_fetch", lossy)
        before = drain(reader)
        monkeypatch.setattr(NatsReader, "_fetch", whole)
        assert before == [b"0", b"1"]
        assert [payload for payload in drain(reader) if payload not in before] == [b"2", b"3", b"4", b"5"]

    def test_a_deleted_stream_is_made_anew_by_its_reader_and_forgets_nothing_it_answered(self) -> None:
        data = Path(tempfile.mkdtemp(prefix="zw-"))
        server = EmbeddedNats(data, free_port())
        address = server.start()
        bus = NatsBus(address.url, address.credentials_file)
        try:
            reader = bus.open_reader("INTAKE")
            bus._call(bus._js.delete_stream("INTAKE"))
            with pytest.raises(BusUnavailable):
                reader.pull(10, 5)
            with pytest.raises(BusUnavailable):
                bus.publish("intake.api", b"nobody keeps this")
            again = bus.open_reader("INTAKE")
            assert again.created > reader.created
            bus.publish("intake.api", b"kept")
            assert drain(again) == [b"kept"]
            bus._call(bus._js.delete_consumer("INTAKE", "worker"))
            with pytest.raises(BusUnavailable):
                again.pull(10, 5)
            last = bus.open_reader("INTAKE")
            bus.publish("intake.api", b"kept again")
            assert drain(last)[-1] == b"kept again"
        finally:
            bus.close()
            server.stop()
            shutil.rmtree(data)

    def test_what_was_stored_survives_a_restart_of_the_server(self) -> None:
        data = Path(tempfile.mkdtemp(prefix="zw-"))
        server = EmbeddedNats(data, free_port())
        address = server.start()
        bus = NatsBus(address.url, address.credentials_file)
        try:
            reader = bus.open_reader("INTAKE")
            for n in range(3):
                bus.publish("intake.api", b"%d" % n)
            made = reader.created
            reader.ack(reader.pull(1, 1)[0].seq)
            server.stop()
            again = server.start()
            assert again.url == address.url
            late = bus.open_reader("INTAKE")
            assert late.created == made
            assert drain(late) == [b"1", b"2"]
        finally:
            bus.close()
            server.stop()
            shutil.rmtree(data)
