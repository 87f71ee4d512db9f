"""Vital signs: roll-up by area, bands, and values that are too old."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from building import NOW, book_of, both, pack, packs, world_of

from zhiwan.kernel.judge import compute_indicators

AREAS = ["100000001001", "100000001002", "100000002001"]


def indicator(**more):
    base = {
        "id": "wet", "title": both("wet"), "unit": "m", "over": "Station", "value": "level", "rollup": "mean",
        "fresh": "1h", "cadence": "5min", "owner": both("o"),
        "bands": [{"upto": 2, "title": both("calm"), "tone": "green"}, {"title": both("high"), "tone": "red"}],
    }  # fmt: skip
    return base | more


def latest(*rows):
    frame = [
        {"entity": entity, "property": prop, "observed_at": NOW - timedelta(minutes=age), "value": value}
        for entity, prop, value, age in rows
    ]
    schema = {"entity": pl.String, "property": pl.String, "observed_at": pl.Datetime("us", "UTC"), "value": pl.Float64}
    return pl.DataFrame(frame, schema=schema)


def computed(declared, values, **fields):
    set_ = packs(pack([], indicators=[declared]))
    found = compute_indicators(book_of(set_), world_of(set_, area=AREAS, **fields), values, NOW)
    return {row["area"]: row for row in found.to_dicts()}


def test_values_roll_up_to_village_town_and_district():
    found = computed(indicator(), latest(("a", "level", 1.0, 5), ("b", "level", 4.0, 10), ("c", "level", 7.0, 2)))
    assert {area: row["value"] for area, row in found.items()} == {
        "100000": 4.0, "100000001": 2.5, "100000002": 7.0,
        "100000001001": 1.0, "100000001002": 4.0, "100000002001": 7.0,
    }  # fmt: skip
    assert [found[area]["band"] for area in ("100000001001", "100000001")] == [0, 1]
    assert found["100000"]["at"] == NOW - timedelta(minutes=2)
    assert (found["100000"]["n"], found["100000"]["stale"]) == (3, 0)
    assert found["100000"]["indicator"] == "test.river.wet"


def test_old_and_missing_values_are_stale_and_no_data_is_not_calm():
    found = computed(indicator(), latest(("a", "level", 1.0, 61)))
    assert (found["100000"]["value"], found["100000"]["n"], found["100000"]["stale"]) == (None, 0, 3)
    assert found["100000"]["band"] is None
    assert found["100000"]["at"] is None


@pytest.mark.parametrize(
    ("rollup", "value", "unit", "wanted"),
    [
        ("max", "level", "m", 7.0),
        ("min", "level", "m", 1.0),
        ("sum", "level", "m", 12.0),
        ("count", "level > 3", "1", 2.0),
        ("share", "level > 3", "%", 100 * 2 / 3),
        ("mean", "level - warning_level + coalesce(:limit, 3)", "m", 4.0),
        ("mean", "coalesce(rain, 0)", "mm", 0.0),
    ],
)
def test_each_rollup(rollup, value, unit, wanted):
    declared = indicator(rollup=rollup, value=value, unit=unit, where="lat > 0 AND name <> 'x'")
    values = latest(("a", "level", 1.0, 1), ("b", "level", 4.0, 1), ("c", "level", 7.0, 1))
    assert computed(declared, values)["100000"]["value"] == pytest.approx(wanted)


def test_where_leaves_entities_out():
    values = latest(("a", "level", 1.0, 1), ("b", "level", 4.0, 1))
    found = computed(indicator(where="kind = 'tide'"), values)
    assert {area for area, row in found.items() if row["n"]} == {"100000", "100000001", "100000001001"}
    assert found["100000"]["value"] == 1.0
    assert found["100000002"]["value"] is None


def test_a_count_goes_back_to_nothing_when_the_last_one_leaves():
    """A figure that is not told any more would stand for ever."""
    counting = indicator(rollup="count", value="level", unit="1", where="level > 3")
    wet = computed(counting, latest(("a", "level", 4.0, 1)))
    assert (wet["100000"]["value"], wet["100000"]["n"]) == (1.0, 1)
    dry = computed(counting, latest(("a", "level", 1.0, 1)))
    assert (dry["100000"]["value"], dry["100000"]["at"]) == (0.0, NOW - timedelta(minutes=1))
    silent = computed(counting, latest(("a", "level", 1.0, 61)))
    assert (silent["100000"]["value"], silent["100000"]["at"]) == (None, None)
