"""The HTTP door: what is answered with 200 is in the stream, and each refused row says why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from trial_pack import loaded, trial_pack
from zhiwan.city import packs_loaded
from zhiwan.city.api.scopes import SCOPES
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.people.ways_in import machines
from zhiwan.city.registry.models import Device, Entity
from zhiwan.kernel.bus.memory import MemoryBus
from zhiwan.kernel.bus.messages import INTAKE, StreamSpec

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryBus]:
    with loaded(monkeypatch, trial_pack()):
        bus = MemoryBus()
        packs_loaded.use_bus(bus)
        yield bus
        packs_loaded.use_bus(None)


@pytest.fixture
def caller() -> Client:
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="办", name_en="office", area="990001")
        post = Post.objects.create(
            id="t1",
            role="operator",
            title_zh="一",
            title_en="one",
            organisation=office,
            scope="towns",
            towns=["990001101"],
        )
        for id, area in (("g1", "990001101"), ("g2", "990001102")):
            Entity.objects.create(id=id, type="Gauge", name=id, town=area, area=area)
            Device.objects.create(
                id=id, entity_id=id, town=area, secret_hash=b"", created_at=datetime(2026, 1, 1, tzinfo=UTC)
            )
        token = machines.create(title="test", post=post, scopes=SCOPES)[1]
    return Client(headers={"authorization": f"Bearer {token}"})


def send(client: Client, body: Any, kind: str = "application/json", status: int = 200) -> Any:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = client.post("/api/v1/observations", content, content_type=kind)
    assert answer.status_code == status, answer.content
    return answer.json()


def stored(bus: MemoryBus) -> list[Any]:
    messages = bus.open_reader(INTAKE.name).pull(100, 0)
    return [orjson.loads(line) for message in messages for line in message.payload.splitlines()]


def test_accepted_rows_are_in_the_stream_in_the_propertys_unit(caller: Client, bus: MemoryBus) -> None:
    now = timezone.now().isoformat()
    told = send(caller, [{"device": "g1", "at": now, "values": {"level": {"value": 330, "unit": "cm"}}}])
    assert (told["accepted"], told["refused"]) == (1, [])
    (row,) = stored(bus)
    assert (row["device"], row["values"]) == ("g1", {"level": 3.3})


def test_each_refused_row_says_why_and_the_good_ones_live(caller: Client, bus: MemoryBus) -> None:
    lines = [
        b'{"device": "g1", "values": {"level": 2.0}}',
        b'{"device": "g1", "values": {"level": "high"}}',
        b'{"device": "nobody", "values": {"level": 1}}',
        b"not json",
        b'{"device": "g1", "at": "2019-01-01T00:00:00Z", "values": {"level": 1}}',
        b'{"device": "g1", "values": {"level": 2.5, "mood": 1}}',
    ]
    told = send(caller, b"\n".join(lines), "application/x-ndjson")
    assert (told["rows"], told["accepted"]) == (6, 2)
    codes = {one["row"]: one["code"] for one in told["refused"]}
    assert codes == {
        1: "NOT_A_NUMBER",
        2: "UNKNOWN_DEVICE",
        3: "MALFORMED",
        4: "TOO_OLD",
        5: "EXTRA_FIELD",
    } or codes == {
        1: "NOT_A_NUMBER",
        2: "UNKNOWN_DEVICE",
        3: "MALFORMED",
        4: "TOO_OLD",
        5: "UNKNOWN_PROPERTY",
    }
    assert all(one["reason"]["zh"] and one["hint"]["en"] for one in told["refused"])
    assert len(stored(bus)) == 2


def test_a_device_of_another_town_is_unknown_to_the_post(caller: Client, bus: MemoryBus) -> None:
    told = send(caller, [{"device": "g2", "values": {"level": 1}}])
    assert [one["code"] for one in told["refused"]] == ["UNKNOWN_DEVICE"]
    assert stored(bus) == []


def test_a_body_that_is_no_list_of_rows_is_refused_as_a_whole(caller: Client) -> None:
    assert send(caller, b"{", status=422)["code"] == "SENSE-001"
    assert send(caller, b"a,b", "text/csv", status=422)["code"] == "SENSE-001"
    assert send(caller, b"[" + b" " * 9_000_000 + b"]", status=413)["code"] == "BUS-003"


def test_a_full_stream_is_told_and_nothing_is_called_stored(caller: Client) -> None:
    packs_loaded.use_bus(MemoryBus([StreamSpec("INTAKE", ("intake.>",), "intake.>", max_bytes=10)]))
    content = orjson.dumps([{"device": "g1", "values": {"level": 1}}])
    answer = caller.post("/api/v1/observations", content, content_type="application/json")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    packs_loaded.use_bus(MemoryBus([]))
    assert caller.post("/api/v1/observations", content, content_type="application/json").status_code == 503
