"""A look back says of past days what the stream said of them while they passed, and where two texts differ."""

from __future__ import annotations

from datetime import timedelta

from building import NOW, START, frame, observation, pack, packs, rule, world_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhiwan.kernel.judge import JudgeState, RuleBook, World, judge, tick
from zhiwan.kernel.judge.backtest import Difference, LookBack, PastAlarm, as_looked_back, differences, warm_up
from zhiwan.kernel.packs.packset import PackSet

RULES = [
    rule("plain", clear="value < 2.5", level="CASE WHEN value > 5 THEN 'red' ELSE 'blue' END"),
    rule("lasting", lasting="10min", clear_lasting="5min"),
    rule("window", when="sum(value, '30min') > 9", where="watched = TRUE OR watched IS NULL"),
    rule("linked", when="value > latest(up.level)"),
    rule("silent", absent="20min", where="kind <> 'river' OR kind IS NULL"),
    rule("silent_soon", absent="10min"),
    rule("limit", when="value > :limit"),
]
IDS = [f"test.river.{one['id']}" for one in RULES]
PACKS = packs(pack(RULES))
LINKS = [("a", "up", "b")]


def look(set_: PackSet, rows: list[dict], cuts: list[int], minutes: float = 250) -> list[PastAlarm]:
    """The alarms of a look back over rows that come in chunks."""
    bare = as_looked_back(set_, IDS)
    found = LookBack(RuleBook.of_rules(bare, IDS), World(world().entities, bare.parameters, world().links))
    times = sorted(cuts)
    for low, high in zip([-1, *times], [*times, 10_000], strict=True):
        part = [row for row in rows if low < (row["observed_at"] - START) / timedelta(minutes=1) <= high]
        found.take(frame(part).sample(fraction=1, shuffle=True, seed=2), NOW)  # the lake promises no order
    found.end(START + timedelta(minutes=minutes), NOW)
    return found.episodes


def world() -> World:
    return world_of(PACKS, links=LINKS)


def lived(rows: list[dict], minutes: float = 250) -> list[tuple]:
    """The alarms of the stream itself: every five minutes its messages, then the ticker."""
    book, state, last = RuleBook.of_rules(PACKS, IDS), JudgeState(), {}
    for minute in range(0, int(minutes) + 1, 5):
        at = START + timedelta(minutes=minute)
        now = [row for row in rows if row["observed_at"] == at]
        events = judge(book, world(), state, frame(now), at).events if now else []
        for event in [*events, *tick(book, world(), state, at).events]:
            last[event.alarm_id] = event
    return sorted((one.rule, one.entity, one.opened_at, one.cleared_at, one.peak_rank) for one in last.values())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 40).map(lambda x: 5 * x), st.sampled_from([1, 2, 3, 3.5, 6])),
        max_size=40,
        unique_by=lambda one: one[:2],
    ),
    st.lists(st.integers(0, 200), max_size=4),
)
def test_a_look_back_tells_what_the_stream_told(readings: list[tuple], cuts: list[int]) -> None:
    ordered = sorted(readings, key=lambda one: (one[1], one[0]))
    rows = [observation(entity, minute, value, i + 1) for i, (entity, minute, value) in enumerate(ordered)]
    told = [(one.rule, one.entity, one.opened_at, one.cleared_at, one.rank) for one in look(PACKS, rows, cuts)]
    assert sorted(told, key=str) == sorted(lived(rows), key=str)


def at(minute: float) -> object:
    return START + timedelta(minutes=minute)


def test_two_texts_differ_alarm_by_alarm() -> None:
    rows = [observation("a", 5 * i, value, i + 1) for i, value in enumerate([2, 3.2, 3.2, 1, 2.7, 2.7, 1, 4, 6, 4, 1])]
    rows += [observation("b", 5 * i, value, 100 + i) for i, value in enumerate([2, 3.1, 1])]
    higher = packs(pack([rule("plain", when="value >= 3.15", clear="value < 2.5", level="'red'"), *RULES[1:]]))
    lower = packs(pack([rule("plain", when="value >= 2.6", clear="value < 2.5"), *RULES[1:]]))

    def told(other: PackSet) -> list[tuple]:
        found = differences(look(PACKS, rows, []), look(other, rows, []))
        return [(one.kind, one.shown.entity, one.shown.opened_at) for one in found]

    assert told(PACKS) == []
    assert told(higher) == [("level", "a", at(5)), ("gone", "b", at(5))]
    assert told(lower) == [("opened", "a", at(20)), ("level", "a", at(35))]


def test_an_alarm_that_comes_at_another_time_is_the_same_alarm() -> None:
    one = PastAlarm("r", "a", "when", at(0), at(30), 1, "blue")
    later = PastAlarm("r", "a", "when", at(10), at(30), 1, "blue")
    far = PastAlarm("r", "a", "when", at(40), None, 1, "blue")
    assert differences([one], [later]) == [Difference("moved", one, later)]
    assert differences([one], [later, far])[1] == Difference("opened", None, far)
    assert differences([one, far], [far]) == [Difference("gone", one, None)]
    assert differences([one], [one]) == []


def test_an_alarm_of_a_latched_rule_is_over_when_its_condition_is() -> None:
    latched = packs(pack([rule("plain", latched=True, clear="value < 2.5")]))
    rows = [observation("a", 0, 4, 1), observation("a", 5, 1, 2)]
    [alarm] = [one for one in look(latched, rows, []) if one.rule == "test.river.plain"]
    assert alarm.cleared_at == at(5)


def test_rows_out_of_range_and_of_unknown_things_tell_nothing() -> None:
    rows = [observation("a", 0, 9, 1, quality=1), observation("z", 0, 9, 2), observation("a", 5, 1, 3)]
    found = look(PACKS, rows, [])
    assert [one.rule for one in found if one.cause == "when"] == []
    assert {one.entity for one in found} == {"a"}


def test_enough_is_read_before_the_first_day() -> None:
    assert warm_up(RuleBook.of_rules(PACKS, IDS)) == timedelta(minutes=90)


def test_nothing_to_look_at_is_no_alarm() -> None:
    assert look(PACKS, [], []) == []
