"""The live stream: who hears what, what a slow page is told, and the way from the bus to the page."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nats as nats_client
import pytest
from starlette.testclient import TestClient

from zhiwan.city.portal.tickets import Ticket, TicketRefused, issue, read
from zhiwan.kernel.bus.messages import LIVE_CHANGES
from zhiwan.run import live
from zhiwan.run.embedded.nats import Address
from zhiwan.run.live import QUEUE_LENGTH, RELOAD, RENEW, Hub, Listener, allowed_origins, events, make_app

KEY = "k" * 40
EAST, WEST = "990101001", "990101002"
DISTRICT_TICKET, EAST_TICKET = Ticket("li", None), Ticket("li", frozenset({EAST}))


def value(entity: str, town: str, **more: Any) -> dict[str, Any]:
    return {"kind": "value", "entity": entity, "property": "level", "value": 1.0, "town": town, "space": "live", **more}


def heard(listener: Listener) -> list[Any]:
    found = []
    while not listener.queue.empty():
        text = listener.queue.get_nowait().decode()
        found += json.loads(text.split("data: ")[1])
    return found


def test_a_ticket_comes_back_as_it_was_issued_and_a_forged_one_does_not() -> None:
    text = issue(KEY, EAST_TICKET)
    assert read(KEY, text) == EAST_TICKET
    assert read(KEY, issue(KEY, DISTRICT_TICKET)).towns is None
    with pytest.raises(TicketRefused):
        read("another key", text)
    with pytest.raises(TicketRefused):
        read(KEY, text[:-2] + "xx")


def test_a_town_hears_its_own_and_what_is_for_all() -> None:
    hub, east = Hub(), Listener(EAST_TICKET, None)
    hub.listeners.add(east)
    indicator = {"kind": "indicator", "town": "", "space": "live"}
    told = [value("e", EAST), value("w", WEST), value("d", ""), indicator, value("e", EAST, space="story")]
    hub.tell(told)
    assert heard(east) == [told[0], indicator]


def test_a_page_hears_its_own_space_only_but_that_one_came_or_went() -> None:
    hub = Hub()
    live, story = Listener(DISTRICT_TICKET, None), Listener(Ticket("li", None, "typhoon"), None)
    hub.listeners |= {live, story}
    of_live = [value("e", EAST), {"kind": "warning", "town": "", "space": "live"}]
    of_story = [value("e", EAST, space="typhoon"), {"kind": "warning", "town": "", "space": "typhoon"}]
    gone = {"kind": "space", "id": "typhoon", "town": "", "space": "typhoon"}
    hub.tell([*of_live, *of_story, gone])
    assert heard(live) == [gone, *of_live]
    assert heard(story) == [gone, *of_story]


def test_a_page_hears_values_of_the_entities_it_shows_only() -> None:
    hub = Hub()
    quiet, one, all_ = (Listener(DISTRICT_TICKET, which) for which in (frozenset(), frozenset({"e"}), None))
    hub.listeners |= {quiet, one, all_}
    alarm = {"kind": "alarm", "id": "a", "town": WEST, "space": "live"}
    hub.tell([value("e", EAST), value("w", WEST), alarm])
    assert heard(quiet) == [alarm]
    assert [hint.get("entity") for hint in heard(one)] == ["e", None]
    assert len(heard(all_)) == 3


def test_a_page_that_does_not_keep_up_is_told_to_fetch_anew() -> None:
    hub, slow = Hub(), Listener(DISTRICT_TICKET, None)
    hub.listeners.add(slow)
    for _ in range(QUEUE_LENGTH + 1):
        hub.tell([value("e", EAST)])
    assert slow.queue.get_nowait() == RELOAD
    assert slow.queue.empty()


def test_what_was_told_while_a_page_was_made_is_told_to_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("time.time", lambda: now)
    hub = Hub()
    for now in (1_010.0, 1_020.0, 1_030.0):
        hub.tell([value("e", EAST, at=now), value("w", WEST, at=now)])
    east = Listener(EAST_TICKET, None, since=1_015.0)
    hub.join(east)
    hub.tell([value("e", EAST, at=now)])
    assert [hint["at"] for hint in heard(east)] == [1_020.0, 1_030.0, 1_030.0]
    now = 1_085.0
    hub.tell([])
    late = Listener(EAST_TICKET, None, since=1_015.0)
    hub.join(late)
    assert late.queue.get_nowait() == RELOAD, "what was told then is forgotten"
    assert [hint["at"] for hint in heard(late)] == [1_030.0, 1_030.0]


def test_of_a_storm_only_the_end_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "REMEMBER_HINTS", 10)
    hub = Hub()
    for number in range(50):
        hub.tell([value(f"e{number}", EAST), value(f"f{number}", EAST)])
    page = Listener(DISTRICT_TICKET, None, since=0.0)
    hub.join(page)
    assert page.queue.get_nowait() == RELOAD
    assert len(heard(page)) == 10


def test_a_listener_is_forgotten_when_its_page_goes_away() -> None:
    async def visit() -> None:
        hub, listener = Hub(), Listener(DISTRICT_TICKET, None)
        stream: AsyncIterator[bytes] = events(hub, listener)
        assert b"event: beat" in await anext(stream)
        hub.tell([value("e", EAST)])
        assert b"event: changes" in await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert not hub.listeners

    asyncio.run(visit())


def test_a_session_that_ended_is_cut_at_once_and_others_go_on() -> None:
    hub = Hub()
    gone, stays = (Listener(Ticket("li", None, session=session), None) for session in ("a", "b"))
    hub.listeners |= {gone, stays}
    asyncio.run(hub.receive(message([{"kind": "signed_out", "sessions": ["a"]}, value("e", EAST)])))
    assert gone.ended
    assert gone.queue.get_nowait() == RENEW, "its page fetches a new ticket, which is refused"
    assert gone.queue.empty()
    assert [hint["kind"] for hint in heard(stays)] == ["value"]


def message(body: Any) -> Any:
    return SimpleNamespace(data=json.dumps(body).encode())


def test_a_stream_ends_with_its_session_and_before_that_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(hub: Hub, listener: Listener) -> list[bytes]:
        return [event async for event in events(hub, listener)]

    async def signed_out() -> list[bytes]:
        hub, listener = Hub(), Listener(Ticket("li", None, session="a"), None)
        reading = asyncio.create_task(read(hub, listener))
        await asyncio.sleep(0)
        hub.end_sessions(["a"])
        return await reading

    assert asyncio.run(asyncio.wait_for(signed_out(), 5))[-1] == RENEW
    monkeypatch.setattr(live, "LONGEST", 0)
    monkeypatch.setattr(live, "RENEW_GRACE", 0.0)
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.01)
    told = asyncio.run(asyncio.wait_for(read(Hub(), Listener(DISTRICT_TICKET, None)), 5))
    assert told.count(RENEW) == 1, "the page is asked to come with a fresh ticket, once"


def test_only_pages_of_our_own_web_may_listen() -> None:
    assert allowed_origins({"ZHIWAN_URL": "http://127.0.0.1:8000"}) >= {
        "http://localhost:8000",
        "http://127.0.0.1:8000",
    }
    assert allowed_origins({"ZHIWAN_HOSTS": "city.example"}) == {"https://city.example"}
    assert allowed_origins({}) == frozenset()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    key = tmp_path / "key"
    key.write_text(KEY)
    return {
        "ZHIWAN_SECRET_KEY_FILE": str(key),
        "ZHIWAN_NATS_URL": "nats://127.0.0.1:1",
        "ZHIWAN_URL": "http://127.0.0.1:9",
    }


def test_without_a_ticket_or_from_elsewhere_nothing_streams(environment: dict[str, str]) -> None:
    client = TestClient(make_app(environment))
    assert client.get("/stream").status_code == 401
    ticket = issue(KEY, DISTRICT_TICKET)
    foreign = client.get("/stream", params={"ticket": ticket}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert "access-control-allow-origin" not in foreign.headers
    refused = client.get("/stream", headers={"Origin": "http://localhost:9"})
    assert refused.headers["access-control-allow-origin"] == "http://localhost:9"


def test_health_says_that_the_bus_is_gone(environment: dict[str, str]) -> None:
    answer = TestClient(make_app(environment)).get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["bus"] is False


@pytest.mark.nats
def test_what_the_bus_says_reaches_the_page(nats: Address, environment: dict[str, str]) -> None:
    credentials = os.environ["ZHIWAN_NATS_CREDENTIALS_FILE"]

    async def listen() -> None:
        hub, listener = Hub(), Listener(DISTRICT_TICKET, None)
        hub.listeners.add(listener)
        await hub.follow(nats.url, Path(credentials))
        assert await asyncio.wait_for(listener.queue.get(), 5) == RELOAD  # it listens from now on
        assert b"event: beat" in await asyncio.wait_for(listener.queue.get(), 5)
        login = json.loads(Path(credentials).read_text())
        worker = await nats_client.connect(nats.url, user=login["user"], password=login["password"])
        await worker.publish(LIVE_CHANGES, b"no json")
        await worker.publish(LIVE_CHANGES, json.dumps([value("e", EAST)]).encode())
        assert b'"entity":"e"' in await asyncio.wait_for(listener.queue.get(), 5)
        await worker.close()
        assert hub.client is not None
        await hub.client.close()

    asyncio.run(listen())
