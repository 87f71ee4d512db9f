"""复核: every engine finds in the rows of the lake the alarms that the stream told."""

from __future__ import annotations

from building import NOW, START, book_of, frame, observation, pack, packs, rule, world_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhiwan.kernel.judge import JudgeState, judge, recompute

RULES = [
    rule("lasting", lasting="10min", clear="value < 2.5", level="CASE WHEN value > 5 THEN 'red' ELSE 'blue' END"),
    rule("mean", when="mean(value, '15min') > :limit OR value - previous > 2"),
]
PACKS = packs(pack(RULES))
BOOK, WORLD = book_of(PACKS), world_of(PACKS)
ENTITY = WORLD.entities["Station"].row(0, named=True)
ENGINES = ("reference", "polars", "duckdb")


def again(rows, rule_id, engine, **more):
    observations = frame(rows).sample(fraction=1.0, shuffle=True, seed=1)  # the lake promises no order
    return recompute(BOOK, rule_id, ENTITY, observations, engine=engine, parameters=WORLD.parameters, **more)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 28).map(lambda x: x / 4), min_size=1, max_size=25))
def test_engines_find_what_the_stream_told(values):
    rows = [observation("a", 5 * i, value, i) for i, value in enumerate(values)]
    told = judge(BOOK, WORLD, JudgeState(), frame(rows), NOW).events
    for rule_id in ("test.river.lasting", "test.river.mean"):
        last = {event.alarm_id: event for event in told if event.rule == rule_id}
        wanted = [(event.opened_at, event.cleared_at) for event in last.values()]
        for engine in ENGINES:
            found = again(rows, rule_id, engine)
            assert found.alarms == wanted
            assert found.rows == len(rows)
            assert (found.opened_at, found.cleared_at) == (wanted[-1] if wanted else (None, None))


def test_the_alarm_of_a_moment_is_picked_with_its_levels():
    rows = [observation("a", 5 * i, value, i) for i, value in enumerate([3, 3, 3, 6, 1, 1, 3, 3, 3])]
    for engine in ENGINES:
        found = again(rows, "test.river.lasting", engine, at=rows[3]["observed_at"])
        assert found.opened_at == rows[2]["observed_at"]
        assert found.cleared_at == rows[4]["observed_at"]
        assert [level for _, level in found.levels] == ["blue", "red"]
        assert again(rows, "test.river.lasting", engine, at=START).opened_at is None


def test_the_last_recorded_correction_holds():
    rows = [observation("a", 0, 9.0, 1), observation("a", 0, 1.0, 2) | {"recorded_at": NOW.replace(hour=5)}]
    for engine in ENGINES:
        assert again(rows, "test.river.mean", engine).alarms == []
