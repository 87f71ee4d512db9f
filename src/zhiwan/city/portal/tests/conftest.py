"""The small city of watch's tests with things going on in it, and browsers of its people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from zhiwan.city import packs_loaded
from zhiwan.city.cases.actions import open_from_alarm
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.portal import assets_built
from zhiwan.city.registry.models import Place
from zhiwan.city.watch.actions import propose_from_alarms
from zhiwan.city.watch.tests import surge
from zhiwan.city.watch.tests.test_pipeline import Refused, commit
from zhiwan.kernel.bus.memory import MemoryBus

OUTLINE = {"type": "Polygon", "coordinates": [[[121, 30], [122, 30], [122, 31], [121, 30]]]}


@pytest.fixture
def city(transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[MemoryBus]:
    """One open alarm with its case and proposed warning, one refused value, two gauges in two towns; gives the bus."""
    settings.ZHIWAN_DATA = tmp_path
    settings.ZHIWAN_LIVE_URL = "http://127.0.0.1:8001"
    # Pages are tested, not the build: names stand for the files that bin/assets would make.
    names = ("portal.js", "map.js", "map-worker.js", "chart.js", "portal.css", "map.css", "icons.svg")
    monkeypatch.setattr(assets_built, "_built", lambda: ({name: name for name in names}, frozenset({"bell"})))
    surge.use_packs(monkeypatch)
    surge.found_city()
    bus = MemoryBus()
    packs_loaded.use_bus(bus)
    at = timezone.now() - timedelta(minutes=5)
    commit(
        observations=surge.readings(("gauge-e", "level", 0, 3.4), ("gauge-w", "level", 0, 2.0)),
        events=[surge.event("opened", at=at, opened_at=at, recorded_at=at)],
        set_aside=[Refused()],
    )
    with acting_system("jobs"):
        open_from_alarm(alarm_id="a1", at=at)
        propose_from_alarms(alarm_ids=["a1"], at=at)
    with acting_system("cli"):
        Place.objects.create(
            code=surge.DISTRICT, name_zh="云湾区", name_en="Yunwan", lon=121.5, lat=30.5, bounds=[121, 30, 122, 31],
            outline=OUTLINE,
            settings={
                "roles": {"flood_office": {"zh": "防汛办", "en": "Flood office"}}, "role_bases": surge.LIKE,
            },
        )  # fmt: skip
    yield bus
    packs_loaded.forget()
    packs_loaded.use_bus(None)


@pytest.fixture
def enter(city: MemoryBus) -> Callable[..., Client]:
    """A browser signed in as the holder of a post: enter("desk"), enter("east", language="en")."""

    def make(post: str, language: str = "zh-hans", *, second_factor: bool = False) -> Client:
        with acting_system("cli"):
            user = create_user(name=f"u-{post}", display_name=post, password=None, posts=[surge.post(post)])
        client = Client()
        client.force_login(user)
        if second_factor:
            session = client.session
            session["ways_in"] = {"second_at": timezone.now().isoformat()}
            session.save()
        client.cookies["zhiwan_language"] = language
        return client

    return make
