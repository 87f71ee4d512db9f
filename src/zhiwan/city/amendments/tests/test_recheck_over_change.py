"""复核 of an alarm goes by the text that judged it, also when its rule changed since, or while it was open."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from zhiwan.city import packs_loaded
from zhiwan.city.amendments.tests.conftest import RULE, As, pack, use
from zhiwan.city.amendments.tests.test_amending import approve, propose
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.watch.models import Alarm
from zhiwan.city.watch.recheck import Recheck, recheck_alarm
from zhiwan.city.watch.taken_up import judging_since, note_taken_up
from zhiwan.city.watch.tests.surge import AT, post, readings
from zhiwan.city.watch.tests.test_pipeline import commit
from zhiwan.kernel.judge import JudgeState, World, judge

LATER = AT + timedelta(hours=2)


def minutes(number: float) -> datetime:
    return AT + timedelta(minutes=number)


class Stream:
    """The worker in small: judges readings one after the other with the rules that are in force."""

    def __init__(self) -> None:
        self.state = JudgeState()
        self.seq = 0

    def send(self, *values: tuple[float, float]) -> None:
        frame = pl.DataFrame({"id": ["gauge-e"], "name": ["东闸"], "town": ["990101001"], "area": ["990101001"],
                              "lon": [121.1], "lat": [30.1], "limit": [3.3]})  # fmt: skip
        world = World(entities={"Gauge": frame}, parameters=packs_loaded.packs().parameters)
        for minute, value in values:
            self.seq += 1
            batch = readings(("gauge-e", "level", minute, value), seq=self.seq)
            events = judge(packs_loaded.book(), world, self.state, batch, minutes(minute)).events
            packs_loaded.lake().append(batch, "t", self.seq)
            commit(seq=100 + self.seq, observations=batch, events=events)


def alarm() -> Alarm:
    with acting_system("web"):
        return Alarm.objects.get(rule=RULE)


def checked() -> Recheck:
    with acting(post("desk")):
        return recheck_alarm(alarm_id=alarm().id, at=LATER)


def change(as_: As, at: float, **given: str) -> None:
    approve(as_, propose(as_, **given))
    note_taken_up(serial=packs_loaded.in_force().version, at=minutes(at))


def test_an_alarm_of_before_is_judged_by_the_former_text(as_: As) -> None:
    stream = Stream()
    stream.send((0, 3.1), (5, 3.4), (10, 3.1))
    change(as_, 60, when="value > limit + 2")
    found = checked()
    assert (alarm().rule_version, found.versions[0]) == ("1.0.0", "1.0.0")
    assert (found.agree, found.exact) == (True, True)


def test_an_alarm_of_the_new_text_is_not_looked_for_before_it(as_: As) -> None:
    stream = Stream()
    stream.send((0, 3.0), (5, 3.0))
    change(as_, 8, when="value > limit - 1")
    stream.send((10, 3.0), (15, 2.0))
    found = checked()
    assert alarm().evidence["version"] == alarm().rule_version == "1.0.0+local.1"
    assert (found.agree, found.exact, found.versions) == (True, True, ["1.0.0", "1.0.0+local.1"])


def test_an_alarm_that_lived_through_a_change_is_judged_by_each_text_in_its_time(as_: As) -> None:
    stream = Stream()
    stream.send((0, 3.0), (5, 3.4), (10, 3.5))
    change(as_, 12, when="value > limit + 1")
    stream.send((15, 3.5))
    assert (alarm().state, alarm().cleared_at) == ("cleared", minutes(15))
    found = checked()
    assert (found.agree, found.versions) == (True, ["1.0.0", "1.0.0+local.1"])


def test_a_reading_on_its_way_when_the_change_was_taken_up_does_not_confuse(as_: As) -> None:
    stream = Stream()
    stream.send((0, 3.0))
    change(as_, 6, when="value > limit - 1")
    stream.send((5, 3.0), (10, 2.0))  # observed before, judged after
    assert checked().agree


def test_a_changed_value_counts_as_a_changed_text(as_: As, monkeypatch: Any) -> None:
    assert judging_since(1) is None
    stream = Stream()
    stream.send((0, 3.1), (5, 3.4))
    change(as_, 7, level="'ii'")
    stream.send((10, 3.4), (15, 3.0))
    with acting_system("web"):
        assert judging_since(1) == minutes(7)
    assert (alarm().peak_rank, checked().agree) == (3, True)


def test_a_text_that_went_with_its_pack_is_said_to_be_gone(as_: As, monkeypatch: Any) -> None:
    Stream().send((0, 3.1), (5, 3.4), (10, 3.1))
    use(monkeypatch, pack(when="value > limit + 0"))
    assert not checked().exact
