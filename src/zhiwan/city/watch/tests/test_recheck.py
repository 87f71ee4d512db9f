"""复核 on alarms that the real judge opened: other engines find the same, and say so when rows were corrected since."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.registry.models import Entity
from zhiwan.city.watch import recheck
from zhiwan.city.watch.actions.alarms import AlarmUnknown
from zhiwan.city.watch.models import Alarm
from zhiwan.city.watch.recheck import entity_as_judged, recheck_alarm
from zhiwan.city.watch.tests.surge import AT, post, readings
from zhiwan.city.watch.tests.test_pipeline import commit
from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.judge import JudgeState, World, judge

LATER = AT + timedelta(hours=2)


@pytest.fixture(autouse=True)
def _city(secrets: Any, settings: Any, tmp_path: Path) -> None:
    settings.ZHIWAN_DATA = tmp_path
    packs_loaded.forget()


def world() -> World:
    with acting_system("worker"):
        rows = [entity_as_judged(one) for one in Entity.objects.order_by("id")]
    frame = pl.DataFrame(rows, schema_overrides={"kind": pl.String(), "since": UTC_US})
    return World(entities={"Gauge": frame}, parameters=packs_loaded.packs().parameters)


def run(*rows: tuple[str, str, float, float]) -> str:
    """Judge, keep in both sinks, give the alarm's id."""
    batch = readings(*rows)
    judged = judge(packs_loaded.book(), world(), JudgeState(), batch, LATER)
    commit(observations=batch, events=judged.events, now=LATER)
    packs_loaded.lake().append(batch, "t", 1)
    with acting_system("worker"):
        return str(Alarm.objects.get().id)


SPIKE = (("gauge-e", "level", 0, 3.1), ("gauge-e", "level", 5, 3.4), ("gauge-e", "level", 10, 3.6))


def test_other_engines_find_the_same_alarm() -> None:
    id = run(*SPIKE, ("gauge-e", "level", 20, 3.0))
    with acting(post("desk")):
        found = recheck_alarm(alarm_id=id, at=LATER)
    assert found.agree
    assert [one.opened_at for one in found.results] == [AT + timedelta(minutes=5)] * 3
    assert {one.level.id for one in found.results if one.level} == {"iii"}
    assert [one.rows for one in found.results] == [None, 4, 4]


def test_a_row_that_the_lake_does_not_have_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm was cleared by a reading that the judge has committed and the lake has not."""
    before, last = readings(*SPIKE), readings(("gauge-e", "level", 20, 3.0), seq=9)
    judged = judge(packs_loaded.book(), world(), JudgeState(), pl.concat([before, last]), LATER)
    commit(observations=pl.concat([before, last]), events=judged.events, now=LATER)
    packs_loaded.lake().append(before, "t", 1)
    monkeypatch.setattr("time.sleep", lambda _: packs_loaded.lake().append(last, "t", 2))
    with acting_system("worker"):
        id = str(Alarm.objects.get().id)
    with acting(post("desk")):
        found = recheck_alarm(alarm_id=id, at=LATER)
    assert found.agree
    assert [one.rows for one in found.results] == [None, 4, 4]


def test_a_lake_that_stays_behind_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recheck, "MOST_SECONDS_BEHIND", 0.0)
    rows = readings(*SPIKE)
    judged = judge(packs_loaded.book(), world(), JudgeState(), rows, LATER)
    commit(observations=rows, events=judged.events, now=LATER)
    with acting_system("worker"):
        id = str(Alarm.objects.get().id)
    with acting(post("desk")):
        assert not recheck_alarm(alarm_id=id, at=LATER).agree


def test_a_correction_that_came_later_shows_as_a_difference() -> None:
    id = run(*SPIKE)
    mended = readings(("gauge-e", "level", 5, 3.1), ("gauge-e", "level", 10, 3.2), seq=50)
    packs_loaded.lake().append(mended.with_columns(recorded_at=pl.lit(LATER).cast(UTC_US)), "t", 100)
    with acting(post("desk")):
        found = recheck_alarm(alarm_id=id, at=LATER)
    assert not found.agree
    assert [one.opened_at is None for one in found.results] == [False, True, True]


def test_imported_history_does_not_move_an_alarm() -> None:
    id = run(*SPIKE)
    history = readings(("gauge-e", "level", -30, 9.9), ("gauge-e", "level", -5, 9.9)).with_columns(
        seq=pl.lit(0, pl.Int64)
    )
    packs_loaded.lake().import_history(history, "import", 1)
    with acting(post("desk")):
        assert recheck_alarm(alarm_id=id, at=LATER).agree


def test_who_sees_the_alarm_may_ask() -> None:
    id = run(*SPIKE)
    with acting(post("east")):
        assert recheck_alarm(alarm_id=id, at=LATER).agree
    with acting(post("west")), pytest.raises(AlarmUnknown):
        recheck_alarm(alarm_id=id, at=LATER)
