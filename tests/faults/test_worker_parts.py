"""What the worker makes of the registry, and when something is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from trial_world import START, TOWN, brain, compiled, registry

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.judge import JudgeState, judge
from zhiwan.kernel.lake import MemoryLake
from zhiwan.kernel.packs.models import EntityType
from zhiwan.run.worker.brain import Brain, Registry, entity_frames, make_brain
from zhiwan.run.worker.lake_follower import LakeFollower
from zhiwan.run.worker.outbox import Parcel, unpack
from zhiwan.run.worker.recalling import recall
from zhiwan.run.worker.rounds import Every

TEXT = {"zh": "试", "en": "trial"}
FIELDS = {
    "limit": {"title": TEXT, "type": "number", "unit": "m"},
    "since": {"title": TEXT, "type": "date"},
    "public": {"title": TEXT, "type": "boolean"},
    "kind": {"title": TEXT, "type": "choice", "choices": [{"id": "a", "title": TEXT}]},
}
SHANGHAI = ZoneInfo("Asia/Shanghai")


def frame_of(fields: dict[str, object]) -> pl.DataFrame:
    declared = EntityType.model_validate({"id": "Trial", "title": TEXT, "fields": FIELDS})
    row = {
        "id": "x",
        "type": "Trial",
        "name": "X",
        "town": TOWN,
        "area": TOWN,
        "lon": 1.0,
        "lat": 2.0,
        "fields": fields,
    }
    return entity_frames({"Trial": declared}, [row], SHANGHAI)["Trial"]


def test_declared_fields_become_columns_of_their_kind() -> None:
    frame = frame_of({"limit": 3, "since": "2026-03-01", "public": True, "kind": "a"})
    assert frame.row(0, named=True) | {"id": "x"} == {
        "id": "x", "name": "X", "name_en": None, "town": TOWN, "area": TOWN, "lon": 1.0, "lat": 2.0,
        "limit": 3.0, "since": datetime(2026, 2, 28, 16, tzinfo=UTC), "public": True, "kind": "a",
    }  # fmt: skip


def test_a_field_of_the_wrong_kind_is_missing_and_hurts_no_other() -> None:
    row = frame_of({"limit": True, "since": "soon", "public": "yes", "unheard": 1}).row(0, named=True)
    assert (row["limit"], row["since"], row["public"], row["kind"]) == (None, None, None, None)
    assert row["name"] == "X"


def test_devices_of_undeclared_types_do_not_speak() -> None:
    known = registry(1)
    strange = {**known.entities[0], "id": "s", "type": "Unheard"}
    book = compiled()
    whole = Registry([*known.entities, strange], [], [*known.devices, ("s", "s")])
    brain = make_brain(book.packs, book, whole, "CN", MemoryLake().seen)
    assert set(brain.intake.devices) == {"g0"}


def rows(seq: int, value: float) -> pl.DataFrame:
    at = datetime(2026, 11, 24, 8, seq, tzinfo=UTC)
    return pl.DataFrame([["g0", "level", at, value, "g0", at, 0, seq]], schema=OBSERVATION_SCHEMA, orient="row")


def kept(lake: MemoryLake) -> list[float]:
    start = datetime(2026, 11, 24, tzinfo=UTC)
    return lake.rows("g0", "level", start, start + timedelta(days=1))["value"].to_list()


def test_a_parcel_survives_packing() -> None:
    parcel = Parcel(1, "INTAKE@2026", 7, rows(7, 1.5))
    again = unpack(parcel.key, parcel.packed())
    assert (again.app, again.seq) == ("INTAKE@2026", 7)
    assert again.frame.equals(parcel.frame)


def test_a_parcel_delivered_again_with_a_newer_one_is_kept_once() -> None:
    lake = MemoryLake()
    first, second = Parcel(1, "S@1", 1, rows(1, 1.0)), Parcel(2, "S@1", 2, rows(2, 2.0))
    follower = LakeFollower(lake)
    follower.add(first)
    follower.flush()
    assert follower.take_done() == [first.key]
    opened_anew = LakeFollower(lake)
    opened_anew.add(first)
    opened_anew.add(second)
    opened_anew.flush()
    assert kept(lake) == [1.0, 2.0]
    assert opened_anew.take_done() == [first.key, second.key]


def test_a_lake_that_is_away_keeps_parcels_waiting() -> None:
    class Away(MemoryLake):
        def append(self, frame: pl.DataFrame, app: str, version: int) -> bool:
            raise OSError("no such store")

    follower = LakeFollower(Away())
    follower.add(Parcel(1, "S@1", 1, rows(1, 1.0)))
    with pytest.raises(OSError, match="no such store"):
        follower.flush()
    assert follower.waiting_rows == 1
    assert follower.take_done() == []


def test_rounds_do_not_pile_up_after_a_pause() -> None:
    time = [0.0]
    every = Every(5, clock=lambda: time[0])
    assert [every.due(), every.due()] == [True, False]
    time[0] = 60.0
    assert [every.due(), every.due()] == [True, False]


def judged(*levels: float) -> tuple[JudgeState, Brain]:
    """A worker's memory after readings of one gauge, one a minute."""
    lake = MemoryLake()
    state, made = JudgeState(), brain(1, lake)
    for minute, level in enumerate(levels, 1):
        judge(made.book, made.world, state, rows(minute, level), START)
    return state, made


def test_readings_for_a_longer_look_back_come_from_the_lake_once() -> None:
    lake = MemoryLake()
    state, made = judged(1.0)
    earlier = rows(40, 2.0).with_columns(pl.col("observed_at") - timedelta(hours=1))
    imported = rows(30, 9.0).with_columns(pl.col("observed_at") - timedelta(hours=1), seq=pl.lit(0, pl.Int64))
    flagged = rows(31, 9.0).with_columns(pl.col("observed_at") - timedelta(hours=1), quality=pl.lit(1, pl.Int32))
    lake.append(pl.concat([earlier, imported, flagged, rows(1, 1.0)]), "S@1", 99)
    group = ("TrialGauge", "level")
    assert state.short().keys() >= {group}
    assert recall(state, made, lake, START + timedelta(minutes=2)) == 2
    series = state.series[group]
    assert [value for _, value in series.by_slot(np.array([0]))[0]] == [2.0, 1.0]
    assert recall(state, made, lake, START + timedelta(minutes=2)) == 0, "nothing is missing any more"


def test_judging_goes_on_without_the_lake() -> None:
    class Away(MemoryLake):
        def current(self, *_: Any, **__: Any) -> pl.DataFrame:
            raise OSError("no such store")

    state, made = judged(1.0)
    assert recall(state, made, Away(), START) == 0
    assert state.short(), "the next start looks again"
