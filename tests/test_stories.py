"""Stories that packs declare: what they name exists, and what a drop forgets is noticed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from zhiwan.city import packs_loaded
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.stories import Story, read_stories
from zhiwan.run.story.making import Thing
from zhiwan.run.story.signals import Signals, on_line

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def packs() -> PackSet:
    return load_packs([CHECKOUT / "packs"])


@pytest.fixture(scope="module")
def stories(packs: PackSet) -> dict[str, Story]:
    return read_stories([Path(pack.folder) for pack in packs.packs])


def test_what_a_story_names_exists(packs: PackSet, stories: dict[str, Story]) -> None:
    assert "typhoon" in stories
    rules = {f"{pack.id}.{rule.id}" for pack, rule in packs.rules}
    for story in stories.values():
        for signal in story.signals:
            type_, _, name = signal.of.partition(".")
            assert name in packs.type(type_).properties
            assert signal.above is None or signal.above in packs.type(type_).fields
            assert type_ in {one.type for one in story.things}
        for step in story.steps:
            if step.expect.alarm:
                assert any(rule.endswith(f".{step.expect.alarm}") for rule in rules), step.expect.alarm
            if step.sign:
                kinds = {f"{pack.id}.{kind.id}" for pack in packs.packs for kind in pack.warnings}
                assert any(kind.endswith(f".{step.sign.warning}") for kind in kinds)


def test_signals_follow_their_lines_and_sums(packs: PackSet, stories: dict[str, Story]) -> None:
    story = stories["typhoon"]
    signals = Signals(story, packs)
    at = story.moment("18T18:00")
    first = Thing("g", "RainGauge", "g", {}, 0)
    reports = [signals.values(first, at - n * timedelta(minutes=5))["rain"] for n in range(12)]
    assert signals.values(first, at)["rain_1h"] == pytest.approx(sum(reports), abs=0.1)
    river = Thing("r", "RiverLevelStation", "r", {"warning_level": 3.5}, 0)
    assert signals.values(river, story.moment("18T20:00"))["level"] == pytest.approx(3.62)


def test_a_line_ends_flat() -> None:
    story_start = read_stories([CHECKOUT / "packs/governance/flood"])["typhoon"].start
    points = [(story_start, 1.0), (story_start + timedelta(hours=1), 3.0)]
    found = [on_line(points, story_start + timedelta(minutes=m)) for m in (-5, 0, 30, 60, 90)]
    assert found == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_a_drop_knows_every_table_with_a_space() -> None:
    from zhiwan.run.story.dropping import ORDER, tables_with_space

    assert packs_loaded.packs is not None  # Django is set up by the root conftest
    assert tables_with_space() == set(ORDER)
