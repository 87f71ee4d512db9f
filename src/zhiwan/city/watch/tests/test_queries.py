"""What pages read: values with their age, the map, quality figures, histories, each within the post's towns."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trial_pack import words
from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.registry.models import Area
from zhiwan.city.watch import pipeline, queries
from zhiwan.city.watch.models import IndicatorNow
from zhiwan.city.watch.tests.surge import AT, DISTRICT, EAST, PACK, RULE, event, post, readings
from zhiwan.city.watch.tests.test_pipeline import Refused, commit
from zhiwan.kernel.facts.observations import UTC_US, Quality
from zhiwan.kernel.packs.models import Views
from zhiwan.kernel.packs.packset import PackSet

NOW = AT + timedelta(hours=1)


@pytest.fixture(autouse=True)
def _city(secrets: Any, settings: Any, tmp_path: Path) -> None:
    settings.ZHIWAN_DATA = tmp_path
    packs_loaded.forget()


def test_a_value_has_an_age_and_a_property_never_reported_has_none() -> None:
    commit(observations=readings(("gauge-e", "level", 0, 3.4)).with_columns(quality=pl.lit(int(Quality.LATE))))
    with acting(post("desk")):
        level, flow = queries.latest_of("gauge-e", at=NOW)
    assert (level.shown.zh, level.age, level.stale, level.flags) == ("3.40", timedelta(hours=1), True, ["LATE"])
    assert (flow.value, flow.shown.en, flow.stale) == (None, "—", True)


def test_a_town_reads_only_its_own_values() -> None:
    commit(observations=readings(("gauge-e", "level", 0, 3.4)))
    with acting(post("west")):
        assert queries.latest_of("gauge-e", at=NOW) == []
        assert queries.history("gauge-e", "level", AT, NOW) == []
        assert queries.overview(at=NOW).reporting == 0


def test_the_overview_counts() -> None:
    commit(observations=readings(("gauge-e", "level", 59, 3.4)), events=[event("opened")], set_aside=[Refused()])
    with acting(post("desk")):
        found = queries.overview(at=NOW)
    assert (found.open_alarms, found.unacknowledged, found.by_tone) == (1, 1, {"yellow": 1})
    assert (found.devices, found.reporting, found.set_aside) == (2, 1, 1)


def test_alarms_are_filtered_and_explained() -> None:
    commit(events=[event("opened"), event("opened", alarm="a2", entity="gauge-w")])
    with acting(post("desk")):
        assert [row.id for row in queries.alarms(area=EAST).rows] == ["a1"]
        assert queries.alarms(area=DISTRICT, pack="governance.surge", level="iii").total == 2
        assert queries.alarms(state="cleared").total == queries.alarms(pack="life.air").total == 0
        assert queries.alarms(since=AT + timedelta(days=1)).total == 0
        detail = queries.alarm_detail("a1")
    assert detail is not None
    assert detail.row.level.title.zh == "iii"
    assert detail.rule is not None
    assert detail.rule.id == RULE


def test_the_map_has_a_row_for_each_placed_entity_with_its_worst_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = {"id": "gauges", "title": words("gauges"), "type": "Gauge", "property": "level"}
    pack = PACK.model_copy(update={"views": Views.model_validate({"layers": [layer]})})
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([pack]))
    packs_loaded.forget()
    worse = event("opened", alarm="a2", rank=3, tone="red", peak_rank=3)
    commit(observations=readings(("gauge-e", "level", 0, 3.4)), events=[event("opened"), worse])
    with acting(post("desk")):
        found = queries.map_state()
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["features"]]
    assert [(row["id"], row["value"], row["alarm_rank"], row["alarm_tone"], row["tone"]) for row in rows] == [
        ("gauge-e", 3.4, 3, "red", "blue"),
        ("gauge-w", None, None, None, "grey"),
    ]
    with acting(post("west")):
        assert [row[0] for row in queries.map_state()["features"]] == ["gauge-w"]


def test_the_chart_holds_readings_against_the_limits() -> None:
    packs_loaded.lake().append(readings(("gauge-e", "level", 0, 3.2), ("gauge-e", "level", 5, 3.4)), "t", 1)
    commit(events=[event("opened", minutes=5), event("cleared", minutes=9, step=2)])
    with acting(post("desk")):
        chart = queries.alarm_chart("a1")
    assert chart is not None
    assert [value for _, value in chart.points] == [3.2, 3.4]
    assert [(limit.title.en, limit.value) for limit in chart.limits] == [("limit", 3.3)]


def test_quality_figures_speak_of_what_the_post_may_see() -> None:
    rows = readings(*[("gauge-e", "level", minute, 3) for minute in range(4)], ("gauge-w", "level", 0, 3))
    frozen = pl.when(pl.col("entity") == "gauge-e").then(int(Quality.FROZEN)).otherwise(0).cast(pl.Int32)
    packs_loaded.lake().append(rows.with_columns(quality=frozen), "t", 1)
    commit(counts={"taken": 5, "NOT_A_NUMBER": 2})
    with acting(post("desk")):
        found = queries.quality(AT, AT + timedelta(hours=1))
    assert (found.total, found.flags, found.refused) == (5, {"FROZEN": 4}, {"NOT_A_NUMBER": 2})
    assert [(one.entity.id, one.total, one.share) for one in found.worst] == [("gauge-e", 4, 1.0)]
    with acting(post("west")):
        assert queries.quality(AT, AT + timedelta(hours=1)).total == 1


def test_silent_devices_are_named_longest_first() -> None:
    commit(observations=readings(("gauge-e", "level", 50, 3)))
    with acting(post("desk")):
        found = queries.quality(AT + timedelta(minutes=30), NOW).silent
    assert [(one.device, one.last) for one in found] == [("gauge-w", None)]


def test_vital_signs_are_replaced_and_may_lose_their_value() -> None:
    frame = pl.DataFrame(
        {"indicator": ["governance.surge.x"], "area": [DISTRICT], "value": [1.0], "n": [1], "stale": [0], "at": [AT]}
    )
    assert [hint["value"] for hint in pipeline.save_indicators(frame)] == [1.0]
    stale = frame.with_columns(value=pl.lit(None, pl.Float64), at=pl.lit(None, UTC_US), n=pl.lit(0), stale=pl.lit(1))
    pipeline.save_indicators(stale)
    with acting_system("worker"):
        assert [(one.value, one.at, one.stale) for one in IndicatorNow.objects.all()] == [(None, None, 1)]


def test_an_area_without_figures_shows_none() -> None:
    assert Area.objects.count() == 3
    assert queries.board(DISTRICT) == []
