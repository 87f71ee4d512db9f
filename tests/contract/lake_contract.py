"""The promise of a lake, written once. tests/contract/test_lake.py holds both lakes to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, Quality
from zhiwan.kernel.lake import LakePort, RowsRefused

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def observations(*rows: tuple[str, str, datetime, float | None], **common: object) -> pl.DataFrame:
    """Rows (entity, property, observed_at, value); the other columns by keyword, with plain defaults."""
    frame = pl.DataFrame(rows, schema=["entity", "property", "observed_at", "value"], orient="row")
    filled = {"source": "d", "recorded_at": NOON, "quality": 0, "seq": 0, **common}
    return frame.with_columns(pl.lit(value).alias(name) for name, value in filled.items()).select(
        pl.col(name).cast(dtype) for name, dtype in OBSERVATION_SCHEMA.items()
    )


class LakeContract:
    """Subclasses give a fixture `lake`."""

    def history(self, lake: LakePort, **asked: object) -> list[tuple[datetime, float]]:
        found = lake.history("e", "level", NOON - 9 * DAY, NOON + 9 * DAY, **asked)  # type: ignore[arg-type]
        return list(zip(found["observed_at"], found["value"], strict=True))

    def test_what_was_appended_is_read_back_in_time_order(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON + MINUTE, 2.0), ("e", "level", NOON, 1.0)), "app", 1)
        assert self.history(lake) == [(NOON, 1.0), (NOON + MINUTE, 2.0)]

    def test_other_entities_and_properties_are_not_mixed_in(self, lake: LakePort) -> None:
        lake.append(
            observations(("e", "level", NOON, 1.0), ("f", "level", NOON, 2.0), ("e", "rain", NOON, 3.0)), "a", 1
        )
        assert self.history(lake) == [(NOON, 1.0)]

    def test_an_empty_lake_answers_with_no_rows(self, lake: LakePort) -> None:
        areas = pl.DataFrame({"entity": ["e"], "area": ["310116"]})
        assert self.history(lake) == []
        assert lake.committed("app") == -1
        assert lake.by_area("level", NOON, NOON + HOUR, HOUR, areas).is_empty()
        assert lake.hourly("e", "level", NOON, NOON + HOUR).is_empty()
        assert lake.quality_counts(NOON, NOON + HOUR).is_empty()
        assert lake.roll_up() == 0
        assert lake.extent(["level"]) is None

    def test_the_extent_is_that_of_the_asked_properties(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 1.0), ("e", "rain", NOON - 40 * DAY, 1.0)), "app", 1)
        lake.append(observations(("f", "level", NOON + HOUR, None)), "app", 2)
        assert lake.extent(["level"]) == (NOON, NOON + HOUR)
        assert lake.extent(["level", "rain"]) == (NOON - 40 * DAY, NOON + HOUR)
        assert lake.extent(["wind"]) is None

    def test_a_version_is_kept_once(self, lake: LakePort) -> None:
        frame = observations(("e", "level", NOON, 1.0))
        assert lake.append(frame, "app", 5)
        assert not lake.append(frame, "app", 5)
        assert not lake.append(frame, "app", 4), "Delta would take a lower version; we must not"
        assert lake.committed("app") == 5
        assert lake.rows("e", "level", NOON, NOON + MINUTE).height == 1

    def test_apps_count_their_versions_apart(self, lake: LakePort) -> None:
        assert lake.append(observations(("e", "level", NOON, 1.0)), "app", 5)
        assert lake.append(observations(("e", "level", NOON + MINUTE, 1.0)), "other", 1)
        assert lake.import_history(observations(("e", "level", NOON - MINUTE, 1.0)), "import:x", 0)
        assert len(self.history(lake)) == 3

    def test_a_stream_redelivered_in_other_batches_is_kept_once(self, lake: LakePort) -> None:
        first = [observations(("e", "level", NOON + seq * MINUTE, seq), seq=seq) for seq in (1, 2, 3)]
        lake.append(pl.concat(first[:2]), "stream", 2)
        assert lake.append(pl.concat(first), "stream", 3)
        assert lake.rows("e", "level", NOON, NOON + HOUR)["seq"].to_list() == [1, 2, 3]

    @pytest.mark.parametrize(
        "broken",
        [
            observations(("e", "level", NOON, 1.0)).drop("source"),
            observations(("e", "level", NOON, float("nan"))),
            observations(("e", "level", NOON, float("inf"))),
            observations(("e", "level", NOON, 1.0)).with_columns(entity=pl.lit(None, pl.String)),
        ],
        ids=["missing column", "NaN", "infinite", "no entity"],
    )
    def test_rows_that_are_no_observations_are_refused_whole(self, lake: LakePort, broken: pl.DataFrame) -> None:
        with pytest.raises(RowsRefused):
            lake.append(broken, "app", 1)
        assert lake.committed("app") == -1

    def test_the_latest_correction_wins_and_the_past_can_be_asked(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 1.0)), "app", 1)
        lake.append(observations(("e", "level", NOON, 9.0), recorded_at=NOON + HOUR), "app", 2)
        assert self.history(lake) == [(NOON, 9.0)]
        assert self.history(lake, as_of=NOON + MINUTE) == [(NOON, 1.0)]
        assert self.history(lake, as_of=NOON - MINUTE) == []
        assert lake.rows("e", "level", NOON, NOON + MINUTE)["value"].to_list() == [1.0, 9.0]

    def test_a_correction_that_was_appended_first_still_wins(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 9.0), recorded_at=NOON + HOUR), "app", 1)
        lake.append(observations(("e", "level", NOON, 1.0)), "other", 1)
        assert self.history(lake) == [(NOON, 9.0)]

    def test_sources_are_taken_in_the_declared_order(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 1.0), source="a"), "app", 1)
        lake.append(observations(("e", "level", NOON, 2.0), ("e", "level", NOON + MINUTE, 3.0), source="b"), "app", 2)
        assert self.history(lake, sources=["a", "b"]) == [(NOON, 1.0), (NOON + MINUTE, 3.0)]
        assert self.history(lake, sources=["b", "a"]) == [(NOON, 2.0), (NOON + MINUTE, 3.0)]
        assert self.history(lake, sources=["a"]) == [(NOON, 1.0)]
        assert [value for _, value in self.history(lake)] == [1.0, 2.0, 3.0]

    @pytest.mark.parametrize(
        ("aggregate", "value"),
        [("mean", 2.0), ("min", 1.0), ("max", 3.0), ("sum", 6.0), ("count", 3.0), ("first", 2.0), ("last", 3.0)],
    )
    @pytest.mark.parametrize("days", [1, 30, 120], ids=["from rows", "from hours", "from days"])
    def test_buckets_aggregate(self, lake: LakePort, aggregate: str, value: float, days: int) -> None:
        rows = [("e", "level", NOON + minute * MINUTE, v) for minute, v in ((0, 2.0), (1, 1.0), (61, 3.0))]
        lake.append(observations(*rows), "app", 1)
        midnight = datetime(2026, 11, 24, tzinfo=UTC) - 8 * HOUR
        found = lake.history("e", "level", midnight, midnight + days * DAY, every=DAY, aggregate=aggregate)  # type: ignore[arg-type]
        assert found.select("observed_at", "value", "n").rows() == [(midnight, value, 3)]

    def test_days_begin_at_local_midnight(self, lake: LakePort) -> None:
        late, early = datetime(2026, 11, 24, 15, 59, tzinfo=UTC), datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
        lake.append(observations(("e", "level", late, 1.0), ("e", "level", early, 3.0)), "app", 1)
        lake.roll_up()
        days = lake.daily("e", "level", NOON - 2 * DAY, NOON + 2 * DAY)
        assert days.select("start", "sum").rows() == [(early - DAY, 1.0), (early, 3.0)]

    def test_a_flagged_value_is_kept_but_not_counted_in(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 1.0)), "app", 1)
        lake.append(observations(("e", "level", NOON + MINUTE, 99.0), quality=int(Quality.RANGE)), "app", 2)
        lake.append(observations(("e", "level", NOON + 2 * MINUTE, 3.0), quality=int(Quality.LATE)), "app", 3)
        lake.roll_up()
        assert len(self.history(lake)) == 3
        assert self.history(lake, every=HOUR, aggregate="max") == [(NOON, 3.0)]
        assert lake.hourly("e", "level", NOON, NOON + HOUR).select("n", "max").rows() == [(2, 3.0)]

    def test_a_bucket_whose_only_value_was_withdrawn_is_gone(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 1.0)), "app", 1)
        assert lake.hourly("e", "level", NOON, NOON + HOUR).height == 1
        lake.roll_up()
        range_ = int(Quality.RANGE | Quality.CORRECTION)
        lake.append(observations(("e", "level", NOON, 99.0), quality=range_, recorded_at=NOON + HOUR), "app", 2)
        assert lake.hourly("e", "level", NOON, NOON + HOUR).is_empty()
        lake.roll_up()
        assert lake.hourly("e", "level", NOON, NOON + HOUR).is_empty()
        lake.compact()
        assert lake.hourly("e", "level", NOON, NOON + HOUR).is_empty()
        assert lake.daily("e", "level", NOON - DAY, NOON + HOUR).is_empty()

    @pytest.mark.parametrize("every", [HOUR, 15 * MINUTE], ids=["from hours", "from rows"])
    def test_an_area_pools_its_entities(self, lake: LakePort, every: timedelta) -> None:
        rows = [("e", "level", NOON, 1.0), ("e", "level", NOON + MINUTE, 2.0), ("f", "level", NOON, 6.0)]
        lake.append(observations(*rows, ("g", "level", NOON, 50.0)), "app", 1)
        areas = pl.DataFrame({"entity": ["e", "f", "f"], "area": ["310116101", "310116101", "zone"]})
        expected = [("310116101", NOON, 3.0, 1.0, 6.0, 9.0, 3, 2), ("zone", NOON, 6.0, 6.0, 6.0, 6.0, 1, 1)]
        assert lake.by_area("level", NOON - HOUR, NOON + HOUR, every, areas).rows() == expected
        lake.roll_up()
        assert lake.by_area("level", NOON - HOUR, NOON + HOUR, every, areas).rows() == expected

    def test_quality_is_counted_per_property_and_flag(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 1.0)), "app", 1)
        flags = int(Quality.FROZEN | Quality.LATE)
        lake.append(
            observations(("e", "level", NOON + MINUTE, 1.0), ("f", "level", NOON, 1.0), quality=flags), "app", 2
        )
        columns = ["entity", "property", "rows", "good", "frozen", "late", "range"]
        found = lake.quality_counts(NOON, NOON + HOUR).select(columns).rows()
        assert found == [("e", "level", 2, 1, 1, 1, 0), ("f", "level", 1, 0, 1, 1, 0)]

    def test_it_knows_which_identities_it_has(self, lake: LakePort) -> None:
        lake.append(observations(("e", "level", NOON, 1.0), ("e", "level", NOON + MINUTE, 2.0)), "app", 1)
        lake.append(observations(("e", "level", NOON, 5.0), recorded_at=NOON + HOUR), "app", 2)
        asked = observations(("e", "level", NOON, 0.0), ("e", "level", NOON + DAY, 0.0), ("x", "level", NOON, 0.0))
        found = lake.seen(asked.select("entity", "property", "observed_at", "source"))
        assert found.select("entity", "observed_at", "value").rows() == [("e", NOON, 5.0)]
        pairs = pl.DataFrame({"entity": ["e"], "property": ["level"]})
        assert lake.current(pairs, NOON, NOON + HOUR)["value"].to_list() == [5.0, 2.0]

    def test_figures_of_vital_signs_are_kept_once(self, lake: LakePort) -> None:
        frame = pl.DataFrame(
            {
                "indicator": ["aqi"],
                "area": ["310116"],
                "at": [NOON],
                "value": [55.0],
                "n": [3],
                "stale": [0],
                "band": [1],
            }
        )
        assert lake.append_indicators(frame, version=1)
        assert not lake.append_indicators(frame, version=1)
        assert lake.append_indicators(frame.with_columns(at=NOON + HOUR, value=60.0))
        found = lake.indicator_history("aqi", "310116", NOON, NOON + DAY)
        assert found.select("at", "value", "band").rows() == [(NOON, 55.0, "1"), (NOON + HOUR, 60.0, "1")]

    def test_forgetting_old_months_leaves_their_figures(self, lake: LakePort) -> None:
        old = datetime(2026, 9, 10, 3, tzinfo=UTC)
        lake.append(observations(("e", "level", old, 1.0), ("e", "level", NOON, 2.0)), "app", 1)
        assert lake.retain(NOON) == 1
        assert lake.rows("e", "level", old, NOON + HOUR)["value"].to_list() == [2.0]
        lake.append(observations(("e", "level", old + MINUTE, 7.0)), "app", 2)
        lake.roll_up()
        assert lake.hourly("e", "level", old, old + HOUR).select("n", "sum").rows() == [(1, 1.0)]

    def test_what_was_erased_is_in_no_answer_and_comes_back_in_no_figure(self, lake: LakePort) -> None:
        rows = [(entity, name, NOON, 1.0) for entity in ("e", "f", "it's") for name in ("pulse", "level")]
        lake.append(observations(*rows), "app", 1)
        lake.roll_up()
        lake.append(observations(("e", "pulse", NOON + MINUTE, 2.0), ("f", "pulse", NOON + MINUTE, 2.0)), "app", 2)
        assert lake.erase(["e", "it's", "nobody"], "pulse") == 3
        lake.append(observations(("f", "pulse", NOON + 2 * MINUTE, 3.0)), "app", 3)
        lake.roll_up()
        lake.compact()

        def kept(entity: str, name: str) -> list[int]:
            asked = (entity, name, NOON - DAY, NOON + DAY)
            answers = lake.rows(*asked).height, *(figures(*asked)["n"].sum() for figures in (lake.hourly, lake.daily))
            return list(answers)

        assert kept("e", "pulse") == kept("it's", "pulse") == [0, 0, 0]
        assert kept("f", "pulse") == [3, 3, 3]
        assert kept("e", "level") == kept("it's", "level") == [1, 1, 1]
        assert lake.erase(["e"], "pulse") == 0

    def test_upkeep_changes_no_answer(self, lake: LakePort) -> None:
        for version in range(8):
            rows = [("e", "level", NOON + (7 * version + k) * 11 * MINUTE, float(k)) for k in range(5)]
            lake.append(observations(*rows), "app", version)
            if version % 3 == 0:
                lake.roll_up()
        asked = ("e", "level", NOON, NOON + 2 * DAY)
        before = [lake.rows(*asked), lake.hourly(*asked), lake.daily("e", "level", NOON - DAY, NOON + DAY)]
        lake.compact()
        lake.vacuum()
        after = [lake.rows(*asked), lake.hourly(*asked), lake.daily("e", "level", NOON - DAY, NOON + DAY)]
        for old, new in zip(before, after, strict=True):
            assert_frame_equal(old, new)
        assert lake.committed("app") == 7
