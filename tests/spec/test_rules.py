"""What rules mean, told as stories: a reading (or a tick of the clock) per line, and what is told at once.

Told: kind and level of each event; `late` where late data told it. Each story is judged reading by reading, and, where
no clock ticks, again as one batch, which must tell the same.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from building import book_of, frame, pack, packs, rule, world_of
from building import observation as observed

from zhiwan.kernel.judge import JudgeState, judge, tick

DAY = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 3, tzinfo=UTC)
LEVELS = "CASE WHEN value >= 5 THEN 'red' WHEN value >= 4 THEN 'orange' ELSE 'blue' END"


def moment(text: str) -> datetime:
    hours, minutes = text.split(":")
    return DAY.replace(hour=int(hours), minute=int(minutes))


def spoken(event) -> str:
    return " ".join([event.kind, event.level, *(["late"] if event.late else [])])


@pytest.fixture
def story():
    def tell(declared: dict, text: str, cadence: str | None = None):
        set_ = packs(pack([rule("r", level=LEVELS) | declared], cadence=cadence))
        book, world, state = book_of(set_), world_of(set_), JudgeState()
        lines = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
        rows, events = [], []
        for seq, (at, value, wanted) in enumerate(lines, 1):
            if value == "tick":
                told = tick(book, world, state, moment(at)).events
            elif value == "release":
                state.release(events[-1].alarm_id)
                told = tick(book, world, state, moment(at)).events
            else:
                rows.append(observed("a", 0, float(value), seq) | {"observed_at": moment(at)})
                told = judge(book, world, state, frame(rows[-1:]), NOW).events
            events += told
            assert ", ".join(spoken(one) for one in told) == wanted, f"at {at} {value}"
        if len(rows) == len(lines):
            assert judge(book, world, JudgeState(), frame(rows), NOW).events == events
        return events

    return tell


def test_an_alarm_opens_when_the_condition_is_true_and_clears_when_it_is_false(story):
    story({}, """
        10:00 | 2.9 |
        10:05 | 3.0 | opened blue
        10:10 | 3.5 |
        10:15 | 2.9 | cleared blue
        10:20 | 3.1 | opened blue""")  # fmt: skip


def test_a_short_spike_is_no_alarm(story):
    """The condition must last; every reading on the way must meet it."""
    story({"lasting": "10min"}, """
        10:00 | 3.1 |
        10:05 | 2.0 |
        10:10 | 3.1 |
        10:15 | 3.2 |
        10:20 | 3.1 | opened blue""")  # fmt: skip


def test_a_value_holds_until_the_next_reading_so_a_condition_ripens_in_between(story):
    [opened, cleared] = story({"lasting": "10min"}, """
        10:00 | 3.1 |
        10:15 | 2.0 | opened blue, cleared blue""")  # fmt: skip
    assert (opened.at, cleared.at) == (moment("10:10"), moment("10:15"))


def test_the_clock_tells_it_in_time(story):
    [opened, _] = story({"lasting": "10min"}, """
        10:00 | 3.1  |
        10:09 | tick |
        10:11 | tick | opened blue
        10:12 | tick |
        10:15 | 2.0  | cleared blue""")  # fmt: skip
    assert opened.at == moment("10:10")


def test_a_gap_of_more_than_three_cadences_breaks_what_was_lasting(story):
    story({"lasting": "30min"}, """
        10:00 | 3.1  |
        10:20 | 3.1  |
        10:31 | tick |
        10:40 | 3.1  |
        10:55 | 3.1  |
        11:10 | 3.1  | opened blue""", cadence="5min")  # fmt: skip


def test_a_clear_condition_holds_the_alarm_until_it_is_met_for_its_time(story):
    story({"clear": "value < 2.5", "clear_lasting": "10min"}, """
        10:00 | 3.1 | opened blue
        10:05 | 2.8 |
        10:10 | 2.4 |
        10:15 | 2.6 |
        10:20 | 2.4 |
        10:25 | 2.4 |
        10:30 | 2.4 | cleared blue""")  # fmt: skip


def test_levels_rise_and_fall_within_one_alarm(story):
    events = story({}, """
        10:00 | 3.1 | opened blue
        10:05 | 5.0 | raised red
        10:10 | 4.0 | lowered orange
        10:15 | 1.0 | cleared orange""")  # fmt: skip
    assert len({event.alarm_id for event in events}) == 1
    assert events[-1].peak_rank == 3


def test_no_data_never_clears_an_alarm_and_a_missing_limit_neither(story):
    story({"when": "value >= :limit", "clear": "value < :limit"}, """
        10:00 | 3.1  | opened blue
        11:00 | tick |
        20:00 | 1.0  |
        20:05 | 9.0  |""")  # no limit is in force after 16:00 UTC, midnight in Shanghai  # fmt: skip


def test_an_alarm_whose_level_is_unknown_opens_at_the_lowest(story):
    story({"level": "CASE WHEN value > ground THEN 'red' ELSE NULL END"}, """
        10:00 | 3.1 | opened blue""")  # fmt: skip


def test_a_latched_alarm_goes_quiet_and_stays_until_a_person_releases_it(story):
    events = story({"latched": True}, """
        10:00 | 3.1     | opened blue
        10:05 | 2.0     | quiet blue
        10:10 | 5.0     | active red
        10:15 | 2.0     | quiet red
        10:20 | release | cleared red
        10:25 | 3.1     | opened blue""")  # fmt: skip
    assert events[1].state == "quiet"
    assert len({event.alarm_id for event in events}) == 2


def test_a_latched_alarm_released_early_clears_like_any_other(story):
    story({"latched": True}, """
        10:00 | 3.1     | opened blue
        10:01 | release |
        10:05 | 2.0     | cleared blue""")  # fmt: skip


def test_absence_is_told_by_the_clock_and_ends_with_the_next_value(story):
    [opened, _, _] = story({"when": None, "absent": "15min", "level": "'orange'"}, """
        09:00 | tick |
        10:00 | 1.0  |
        10:14 | tick |
        10:15 | tick | opened orange
        10:30 | tick |
        10:31 | 1.0  | cleared orange
        10:46 | tick | opened orange""")  # fmt: skip
    assert opened.at == moment("10:15")


def test_a_late_reading_moves_the_start_of_an_alarm_without_alarming_twice(story):
    events = story({}, """
        10:00 | 2.0 |
        10:10 | 3.5 | opened blue
        10:05 | 3.2 | corrected blue late
        10:15 | 2.0 | cleared blue""")  # fmt: skip
    assert len({event.alarm_id for event in events}) == 1
    assert events[1].opened_at == moment("10:05")


def test_a_late_reading_can_show_an_alarm_that_nobody_knew_of(story):
    story({}, """
        10:00 | 2.0 |
        10:10 | 2.0 |
        10:05 | 4.2 | opened orange late, cleared orange late""")  # fmt: skip


def test_a_late_reading_can_show_that_a_condition_did_not_last(story):
    events = story({"lasting": "10min"}, """
        10:00 | 3.1 |
        10:10 | 3.1 | opened blue
        10:05 | 2.0 | corrected blue late, cleared blue late
        10:20 | 3.1 | opened blue""")  # fmt: skip
    assert events[1].state == "withdrawn"


def test_a_late_pause_stays_within_the_told_alarm(story):
    events = story({}, """
        10:00 | 3.1 | opened blue
        10:10 | 3.1 |
        10:05 | 2.0 |""")  # fmt: skip
    assert len(events) == 1


def test_when_only_the_first_piece_is_left_the_alarm_ends_there(story):
    events = story({}, """
        10:00 | 3.1 | opened blue
        10:10 | 3.1 |
        10:05 | 2.0 |
        10:10 | 2.0 | corrected blue late, cleared blue late""")  # fmt: skip
    assert events[-1].cleared_at == moment("10:05")


def test_a_correction_of_the_same_instant_counts_as_late(story):
    story({}, """
        10:00 | 3.1 | opened blue
        10:00 | 2.0 | corrected blue late, cleared blue late""")  # fmt: skip


def test_what_comes_later_than_the_lateness_is_kept_but_does_not_judge(story):
    story({"lateness": "30min"}, """
        10:00 | 2.0 |
        11:00 | 2.0 |
        10:29 | 9.0 |
        10:30 | 9.0 | opened red late, cleared red late""")  # fmt: skip


def test_windows_and_previous_look_back_over_the_watched_value(story):
    story({"when": "mean(value, '10min') > 3 AND value > previous"}, """
        10:00 | 9.0 |
        10:05 | 1.0 |
        10:10 | 3.0 |
        10:15 | 4.0 | opened orange
        10:20 | 3.0 | cleared orange""")  # fmt: skip
