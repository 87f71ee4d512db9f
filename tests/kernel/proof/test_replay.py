"""The runner itself: a sound pack passes, and each kind of expectation can fail and says what it saw instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zhiwan.kernel.judge import RuleBook
from zhiwan.kernel.packs.load import load_pack, read_pack
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.replays import Replay
from zhiwan.kernel.proof.replay import Replayed, replay_pack, run_replay
from zhiwan.kernel.proof.scaffold import new_pack

DOUBLE = '''"""Twice the reading."""

import polars as pl

from zhiwan.kernel.packs.door import Parameters


def double(readings: pl.DataFrame, parameters: Parameters) -> pl.DataFrame:
    """The reading times two."""
    return readings.select("entity", "observed_at", doubled=pl.col("reading") * 2)
'''


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> PackSet:
    folder = new_pack("life/noise", tmp_path_factory.mktemp("packs"))
    types = folder / "types.yml"
    doubled = "  properties:\n    doubled: {title: {zh: 两倍, en: Doubled}, unit: Cel, derived: true}\n"
    text = types.read_text("utf-8").replace("  properties:\n", doubled).replace("cadence: 5min", "cadence: 3min")
    types.write_text(text, "utf-8")
    (folder / "derive.yml").write_text(
        "- id: double\n  title: {zh: 两倍, en: Doubled}\n  of: NoiseStation\n  inputs: [reading]\n"
        "  outputs: [doubled]\n  code: twice:double\n",
        "utf-8",
    )
    (folder / "code").mkdir()
    (folder / "code" / "twice.py").write_text(DOUBLE, "utf-8")
    return PackSet.of([load_pack(folder)])


def run(packs: PackSet, feed: list[Any], *expect: dict[str, Any], **more: Any) -> Replayed:
    replay = {
        "case": "a test",
        "kind": "fires",
        "rule": "above_limit",
        "clock": {"start": "2026-07-01T06:00:00+08:00", "step": "5min"},
        "entity": {"type": "NoiseStation", "name": "North", "fields": {"height": 3.0}},
        "feeds": {"reading": feed},
        "expect": list(expect),
    } | more
    return run_replay(packs, packs.packs[0], Replay.model_validate(replay), RuleBook.compile(packs))


def test_the_replays_of_a_new_pack_hold(tmp_path: Path) -> None:
    read = read_pack(new_pack("life/noise", tmp_path))
    packs = PackSet.of([read.pack])
    results = list(replay_pack(packs, packs.packs[0], [replay for _, _, replay in read.replays]))
    assert len(results) == 8
    assert {result.replay.title: result.problems for result in results if result.problems} == {}


HOT = [20, 65, 70, 85]


@pytest.mark.parametrize(
    "good",
    [
        {"open": ["above_limit"]}, {"level": "serious"}, {"message": "North 读数 85.0"}, {"message": "limit of 60"},
        {"raised": 1}, {"notified": 1}, {"corrected": 0}, {"values": {"reading": 85}}, {"values": {"doubled": 170}},
    ],
)  # fmt: skip
def test_what_happened_may_be_expected(packs: PackSet, good: dict[str, Any]) -> None:
    assert run(packs, HOT, {"at": "+15min"} | good).problems == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"open": []}, "open are above_limit, expected none"),
        ({"open": ["above_limit", "no_reading"]}, "expected above_limit, no_reading"),
        ({"level": "attention"}, "the level is serious, expected attention"),
        ({"message": "South"}, 'no message holds "South"'),
        ({"raised": 0}, "raised 1 times, expected 0"),
        ({"corrected": 1}, "corrected 0 times, expected 1"),
        ({"values": {"doubled": 171}}, "doubled is 170.0, expected 171"),
        ({"values": {"doubled": None}}, "doubled is 170.0, expected missing"),
    ],
)
def test_what_did_not_happen_is_told(packs: PackSet, bad: dict[str, Any], said: str) -> None:
    (problem,) = run(packs, HOT, {"at": "+15min"} | bad).problems
    assert problem.startswith("at +15min: ")
    assert said in problem


def test_a_reading_that_is_late_is_not_known_before_it_arrives(packs: PackSet) -> None:
    feed = [20, {"value": 65, "after": "20min"}, 20]
    result = run(
        packs, feed, {"at": "+20min", "values": {"reading": 20}}, {"at": "+25min", "values": {"reading": 20}},
        {"at": "+0min", "values": {"reading": 20}},
    )  # fmt: skip
    assert result.problems == []


def test_a_reading_out_of_range_is_kept_and_not_judged(packs: PackSet) -> None:
    assert run(packs, [20, 999, 999, 999], {"at": "+15min", "open": [], "values": {"reading": 999}}).problems == []


def test_readings_may_come_more_often_than_the_story_steps(packs: PackSet) -> None:
    rare = {"start": "2026-07-01T06:00:00+08:00", "step": "30min"}
    hot = {"at": "+40min", "open": ["above_limit"]}
    assert run(packs, [20, 65, 65], hot, clock=rare).problems[-1].startswith("note: a value of NoiseStation.reading")
    assert run(packs, [20, 65, 65], hot, clock=rare | {"every": "5min"}).problems == []


def test_other_entities_have_feeds_of_their_own(packs: PackSet) -> None:
    result = run(
        packs, [20, 20, 20], {"at": "+10min", "values": {"doubled": 40, "n2.doubled": 60}, "open": []},
        others=[{"type": "NoiseStation", "id": "n2"}], feeds={"reading": [20, 20, 20], "n2.reading": [30, 30, 30]},
    )  # fmt: skip
    assert result.problems == []


def test_a_date_begins_at_midnight_of_the_clock(tmp_path: Path) -> None:
    """As it does live, in the zone of the place: a permit that ends on the 2nd is over at its first moment."""
    folder = new_pack("life/noise", tmp_path)
    types, rules = folder / "types.yml", folder / "rules.yml"
    ends = "  fields:\n    ends: {title: {zh: 到期, en: Ends}, type: date}\n"
    types.write_text(types.read_text("utf-8").replace("  fields:\n", ends), "utf-8")
    late = rules.read_text("utf-8").replace("when: value > :limit\n", "when: observed_at >= ends\n")
    rules.write_text(
        late.replace("    clear: value < :limit - 5\n", "").replace("lasting: 10min", "lasting: 0s"), "utf-8"
    )
    packs = PackSet.of([load_pack(folder)])
    clock = {"start": "2026-07-01T23:50:00+08:00", "step": "5min"}
    entity = {"type": "NoiseStation", "fields": {"ends": "2026-07-02"}}
    expect = [{"at": "+5min", "open": []}, {"at": "+10min", "open": ["above_limit"]}]
    assert run(packs, [20, 20, 20], *expect, clock=clock, entity=entity).problems == []
