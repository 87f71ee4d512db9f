"""A rule changes in the middle of a stream: what is open is judged again by the next reading, what was said stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from building import NOW, START, book_of, frame, observation, pack, packs, rule, world_of

from zhiwan.kernel.judge import AlarmEvent, JudgeState, RuleBook, World, judge, recompute, tick
from zhiwan.kernel.packs.local_changes import LocalChange, changed, parameter_base, rule_base, rule_text
from zhiwan.kernel.packs.packset import PackSet

CHANGED_AT = START + timedelta(minutes=20)
ID = "test.river.r"


def with_change(set_: PackSet, serial: int = 1, **after: Any) -> PackSet:
    found = set_.rule(ID)
    change = LocalChange(serial, "rule", ID, "", rule_base(found), rule_text(found) | after, CHANGED_AT)
    return changed(set_, [change])[0]


class Stream:
    """A stream that is judged by one text, then by another, with the state stored and loaded in between."""

    def __init__(self, set_: PackSet) -> None:
        self.state = JudgeState()
        self.stored: dict[tuple[str, str], Any] = {}
        self.events: list[AlarmEvent] = []
        self.seq = 0
        self.use(set_)

    def use(self, set_: PackSet) -> None:
        self.book, self.world = book_of(set_), world_of(set_)
        self.restart()

    def restart(self) -> None:
        for row in self.state.changed():
            self.stored[row.kind, row.key] = row
        self.state.mark_saved()
        self.state = JudgeState.load(self.stored.values())
        self.state.bind(self.book, self.world)

    def send(self, minute: float, value: float) -> list[AlarmEvent]:
        self.seq += 1
        found = judge(self.book, self.world, self.state, frame([observation("a", minute, value, self.seq)]), NOW)
        self.events += found.events
        return found.events

    def tick(self, minute: float) -> list[AlarmEvent]:
        found = tick(self.book, self.world, self.state, START + timedelta(minutes=minute)).events
        self.events += found
        return found


def kinds(events: list[AlarmEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.rule_version) for event in events]


def test_an_open_alarm_is_judged_by_the_new_text_with_the_next_reading() -> None:
    declared = packs(pack([rule("r", when="value >= 3")]))
    stream = Stream(declared)
    assert kinds(stream.send(0, 3.2)) == [("opened", "1.2.3")]
    stream.use(with_change(declared, when="value >= 3.5"))
    assert stream.tick(21) == [], "no reading, no judgement"
    [cleared] = stream.send(22, 3.3)
    assert (cleared.kind, cleared.rule_version) == ("cleared", "1.2.3+local.1")
    assert (cleared.evidence["version"], cleared.evidence["when"]) == ("1.2.3+local.1", "value >= 3.5")
    assert stream.events[0].evidence["version"] == "1.2.3"


def test_a_lower_limit_opens_with_the_next_reading_and_not_for_those_before() -> None:
    declared = packs(pack([rule("r", when="value >= 3")]))
    stream = Stream(declared)
    assert stream.send(0, 2.8) == stream.send(10, 2.9) == []
    stream.use(with_change(declared, when="value >= 2.5"))
    [opened] = stream.send(25, 2.8)
    assert opened.opened_at == START + timedelta(minutes=25)


def test_a_condition_that_is_pending_ripens_by_the_new_span() -> None:
    declared = packs(pack([rule("r", when="value >= 3", lasting="1h")]))
    stream = Stream(declared)
    stream.send(0, 3.2)
    stream.send(15, 3.2)
    stream.use(with_change(declared, lasting="10min"))
    [opened] = stream.tick(21)
    assert (opened.kind, opened.opened_at) == ("opened", START + timedelta(minutes=10))


def test_another_level_is_told_with_the_next_reading() -> None:
    declared = packs(pack([rule("r", when="value >= 3")]))
    stream = Stream(declared)
    stream.send(0, 3.2)
    stream.use(with_change(declared, level="CASE WHEN value >= 3.1 THEN 'red' ELSE 'blue' END"))
    assert [(event.kind, event.level) for event in stream.send(21, 3.2)] == [("raised", "red")]


def test_a_late_reading_from_before_the_change_withdraws_nothing() -> None:
    declared = packs(pack([rule("r", when="value >= 3", lateness="2h")]))
    stream = Stream(declared)
    stream.send(0, 3.2)
    stream.use(with_change(declared, when="value >= 3.5"))
    assert stream.send(-5, 3.1) == []
    assert [event.kind for event in stream.send(25, 3.1)] == ["cleared"]
    assert stream.send(10, 3.1) == []
    [corrected] = [event for event in stream.send(23, 3.1) if event.kind == "corrected"]
    assert corrected.cleared_at == START + timedelta(minutes=23), "after the change it corrects as ever"


def test_the_same_late_reading_withdraws_an_alarm_where_no_rule_changed() -> None:
    declared = packs(pack([rule("r", when="value >= 3 AND previous >= 3", lateness="2h")]))
    stream = Stream(declared)
    stream.send(-10, 3.2)
    stream.send(0, 3.2)
    assert [event.state for event in stream.send(-5, 1)] == ["withdrawn", "withdrawn"]


def test_the_version_counts_changes_of_its_parameters_too() -> None:
    declared = packs(pack([rule("r", when="value > :limit"), rule("other")]))
    parameter = declared.parameters.history("test.river.limit")
    entry = {"from": "2020-01-01", "value": 5.0, "source": "Order 9"}
    change = LocalChange(
        7, "parameter", "test.river.limit", "CN", parameter_base(parameter), {"in_force": [entry]}, CHANGED_AT
    )
    book = book_of(changed(declared, [change])[0])
    assert [one.version for one in book.rules] == ["1.2.3+local.7", "1.2.3"]
    assert [one.since for one in book.rules] == [CHANGED_AT, None]


def test_a_changed_book_is_the_one_that_is_parsed_anew() -> None:
    declared = packs(pack([rule("r", when="value > :limit"), rule("other", when="value > latest(up.level)")]))
    before, after = book_of(declared), with_change(declared, when="value > 2 AND latest(up.rain) > 3", lasting="5min")
    changed_book, whole = before.changed(after), book_of(after)
    for one, other in zip(changed_book.rules, whole.rules, strict=True):
        assert (one.id, one.version, one.since, one.when, one.timing) == (
            other.id, other.version, other.since, other.when, other.timing,
        )  # fmt: skip
    assert (changed_book.lookups, changed_book.derive_inputs) == (whole.lookups, whole.derive_inputs)
    assert changed_book.rules[1].when is before.rules[1].when, "it was not parsed again"
    assert changed_book.changed(declared).rules[0].version == "1.2.3"


# A rule that begins to look back further


def rain(*values: float) -> list[dict[str, Any]]:
    return [observation("a", 60 * (hour - len(values)), value, hour) for hour, value in enumerate(values)]


@pytest.mark.parametrize("restart", [False, True])
def test_a_longer_window_is_filled_from_the_lake(restart: bool) -> None:
    declared = packs(pack([rule("r", when="sum(value, '1h') >= 20")]))
    stream = Stream(declared)
    stream.state.recall(("Station", "level"), frame([]))
    assert stream.state.short() == {}
    for row in rain(4, 4, 4, 4):
        judge(stream.book, stream.world, stream.state, frame([row | {"seq": row["seq"] + 1}]), NOW)
    stream.use(with_change(declared, when="sum(value, '5h') >= 20"))
    if restart:
        stream.restart()
    [(group, span)] = stream.state.short().items()
    assert (group, span) == (("Station", "level"), timedelta(hours=6))
    stream.state.recall(group, frame(rain(4, 4, 4, 4, 4)))
    stream.restart()
    assert stream.state.short() == {}
    stream.seq = 10
    assert [event.kind for event in stream.send(-1, 4)] == ["opened"], "four hours before the change count"


def test_what_is_recalled_never_takes_the_place_of_what_came_by_the_stream() -> None:
    declared = packs(pack([rule("r", when="sum(value, '3h') >= 20")]))
    stream = Stream(declared)
    stream.send(0, 5)
    stream.state.recall(("Station", "level"), frame([observation("a", 0, 99, 1), observation("a", -30, 1, 2)]))
    series = stream.state.series["Station", "level"]
    assert series.by_slot(pl.Series([0]).to_numpy()) == {
        0: [(int((START - timedelta(minutes=30)).timestamp() * 1e6), 1.0), (int(START.timestamp() * 1e6), 5.0)]
    }
    assert series.head_value[0] == 5


# 复核 over a change


def again(set_: PackSet, rows: list[dict[str, Any]], **more: Any) -> Any:
    entity = world_of(set_).entities["Station"].row(0, named=True)
    book = RuleBook.of_rules(set_, [ID])
    world: World = world_of(set_)
    return recompute(book, ID, entity, frame(rows), engine="duckdb", parameters=world.parameters, **more)


def test_recompute_judges_each_reading_by_the_text_of_its_time() -> None:
    declared = packs(pack([rule("r", when="value >= 3")]))
    stream = Stream(declared)
    rows = [(0, 3.2), (10, 3.3), (22, 3.3), (30, 3.6)]
    for minute, value in rows[:2]:
        stream.send(minute, value)
    later = with_change(declared, when="value >= 3.5")
    stream.use(later)
    for minute, value in rows[2:]:
        stream.send(minute, value)
    told = {event.alarm_id: (event.opened_at, event.cleared_at) for event in stream.events}
    kept = [observation("a", minute, value, i + 1) for i, (minute, value) in enumerate(rows)]
    changes = [(CHANGED_AT, RuleBook.of_rules(later, [ID]), later.parameters)]
    assert again(declared, kept, changes=changes).alarms == list(told.values())
    assert again(declared, kept).alarms != list(told.values())
