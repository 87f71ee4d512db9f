"""Stories that packs declare: what they name exists, and what a drop forgets is noticed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry import spaces
from zhiwan.city.registry.clock import SpaceUnknown
from zhiwan.city.registry.models import Entity, Space
from zhiwan.city.watch.follow_up import follow_warnings
from zhiwan.kernel.bus.memory import MemoryBus
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.stories import Story, read_stories
from zhiwan.run.embedded.postgres import Urls
from zhiwan.run.story import dropping, held
from zhiwan.run.story.making import Thing
from zhiwan.run.story.signals import Signals, on_line
from zhiwan.run.worker.store import LOCK

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def packs() -> PackSet:
    return load_packs([CHECKOUT / "packs"])


@pytest.fixture(scope="module")
def stories(packs: PackSet) -> dict[str, Story]:
    return read_stories(packs.packs)


def test_a_story_names_things_as_the_city_calls_them(stories: dict[str, Story]) -> None:
    first, second = stories["typhoon"].steps[:2]
    assert first.outside is not None
    assert second.sign is not None
    assert first.outside.warning == "governance.flood.typhoon"
    assert (second.expect.alarm, second.sign.warning) == ("governance.flood.high_tide",) * 2


def test_signals_follow_their_lines_and_sums(packs: PackSet, stories: dict[str, Story]) -> None:
    story = stories["typhoon"]
    signals = Signals(story, packs)
    at = story.moment("18T18:00")
    first = Thing("g", "RainGauge", "g", {}, 0)
    reports = [signals.values(first, at - n * timedelta(minutes=5))["rain"] for n in range(12)]
    assert signals.values(first, at)["rain_1h"] == pytest.approx(sum(reports), abs=0.1)
    river = Thing("r", "RiverLevelStation", "r", {"warning_level": 3.5}, 0)
    assert signals.values(river, story.moment("18T20:00"))["level"] == pytest.approx(3.62)


def test_a_line_ends_flat(stories: dict[str, Story]) -> None:
    story_start = stories["typhoon"].start
    points = [(story_start, 1.0), (story_start + timedelta(hours=1), 3.0)]
    found = [on_line(points, story_start + timedelta(minutes=m)) for m in (-5, 0, 30, 60, 90)]
    assert found == [1.0, 1.0, 2.0, 3.0, 3.0]


@pytest.fixture
def space(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[str]:
    """A space with the rows of a story that was begun, and nobody who plays it."""
    settings.ZHIWAN_DATA = tmp_path
    packs_loaded.use_bus(MemoryBus())
    with acting_system("cli"):
        Space.objects.create(id="typhoon", title_zh="台风", title_en="Typhoon", clock=[], told={})
    with acting_system("cli", space="typhoon"):
        register("typhoon-1")
        follow_warnings()  # a job that waits
    yield "typhoon"
    packs_loaded.use_bus(None)


def register(id: str) -> None:
    Entity.objects.create(id=id, type="TideGauge", name=id, area="990101", simulated=True)


def left(space: str) -> int:
    """Things and jobs of the space that are there."""
    with acting_system("cli", space=space), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE args->>'space' = %s", [space])
        return int(cursor.fetchone()[0]) + Entity.objects.count()


def test_a_half_played_story_is_dropped_with_what_was_still_on_its_way(
    space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert left(space) == 2

    def a_page_ends_late(folder: Path) -> int:
        assert left(space) == 0
        assert spaces.space_in_use(space) == "live", "nobody steps in any more"
        with acting_system("web", space=space):
            register("typhoon-2")
        return 0

    monkeypatch.setattr(dropping, "_remove_lake", a_page_ends_late)
    gone = dropping.drop_space(space)
    assert (gone["registry_entity"], gone["registry_space"], gone["procrastinate_jobs"]) == (2, 1, 1)
    assert left(space) == 0
    with pytest.raises(SpaceUnknown):
        dropping.drop_space(space)


@pytest.mark.parametrize(("lock", "who"), [(held.PLAYER, "its player"), (LOCK, "its worker")])
def test_nothing_is_removed_while_somebody_plays_or_works_in_it(
    space: str, migrated: Urls, monkeypatch: pytest.MonkeyPatch, lock: int, who: str
) -> None:
    monkeypatch.setattr(held, "PATIENCE", 0.1)
    with psycopg.connect(migrated.login) as another:
        another.execute("SELECT pg_advisory_lock(%s, %s)", [lock, zlib.crc32(space.encode()) & 0x7FFF_FFFF])
        with pytest.raises(held.StillPlayed, match=who):
            dropping.drop_space(space)
        assert left(space) == 2
        assert held.is_played(space) == (lock == held.PLAYER)
    dropping.drop_space(space)  # who was killed holds no lock
    assert left(space) == 0


def test_a_drop_knows_every_table_with_a_space() -> None:
    assert dropping.tables_with_space() == set(dropping.ORDER)
