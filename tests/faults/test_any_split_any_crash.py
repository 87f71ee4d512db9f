"""Any split into batches and any crash point give the same lake and the same alarms (design §5).

A crash is an exception at a random call of a port, before or after it took effect; what follows is what the worker
does after any failure: throw the pipeline away and open it anew from what is committed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from memory_store import MemoryStore
from trial_world import START, brain, reading, subject

from zhiwan.kernel.bus.memory import MemoryBus
from zhiwan.kernel.facts.observations import IDENTITY
from zhiwan.kernel.lake import MemoryLake
from zhiwan.run.worker.brain import Brain
from zhiwan.run.worker.lake_follower import LakeFollower
from zhiwan.run.worker.pipeline import NotProcessed, Pipeline

DEVICES = 3
STREAM = "$MQTT_msgs"
NOW = START + timedelta(hours=2)


class Crash(Exception):
    """The process dies here."""


@dataclass
class Dice:
    """Crashes with a probability at every call of a wrapped port, before or after the call."""

    chance: float
    random: random.Random
    crashes: int = 0

    def roll(self) -> None:
        if self.random.random() < self.chance:
            self.crashes += 1
            raise Crash


class Fragile:
    """A port whose named calls may crash."""

    def __init__(self, inner: Any, dice: Dice, *calls: str) -> None:
        self._inner, self._dice, self._calls = inner, dice, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._calls:
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._dice.roll()
            result = found(*arguments, **named)
            self._dice.roll()
            return result

        return call


class FragileBus:
    def __init__(self, bus: MemoryBus, dice: Dice) -> None:
        self._bus, self._dice = bus, dice

    def open_reader(self, stream: str, name: str = "worker") -> Any:
        return Fragile(self._bus.open_reader(stream, name), self._dice, "pull", "ack")


@dataclass
class Outcome:
    """What is left after a run."""

    lake: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    set_aside: list[tuple[Any, ...]]
    latest: dict[tuple[str, str], float]
    crashes: int = field(default=0, compare=False)


def run(
    messages: list[tuple[str, bytes]], split: Callable[[], int], chance: float, seed: int, pace: float = 0.0
) -> Outcome:
    """The whole stream, from storing to the lake, with crashes; ends when everything is through.

    `pace`: seconds a round takes at most. With one, checkpoints come once a second only, without with every batch.
    """
    moment = [0.0]
    dice = Dice(chance, random.Random(seed))
    bus, store, lake = MemoryBus(clock=lambda: NOW), MemoryStore(), MemoryLake()
    pending = list(messages)
    while True:
        try:
            follower = LakeFollower(Fragile(lake, dice, "append"))
            pipeline = Pipeline(
                bus=FragileBus(bus, dice),
                store=Fragile(store, dice, "commit"),
                follower=follower,
                brain=brain(DEVICES, lake),
                streams=[STREAM],
                monotonic=lambda: moment[0],
                few_rows=-1 if pace else 1_000_000,
            )
            while True:
                moment[0] += pace * dice.random.random()
                for device, payload in pending[:5]:
                    bus.publish(subject(device), payload)
                del pending[:5]
                count = pipeline.step(STREAM, split(), 0, lambda: NOW)
                if dice.random.random() < 0.4:
                    follower.flush()
                if not count and not pending:
                    break
            moment[0] += 2
            pipeline.settle(NOW)
            follower.flush()
            break
        except Crash:
            continue
    return outcome(store, lake, dice.crashes)


def outcome(store: MemoryStore, lake: MemoryLake, crashes: int) -> Outcome:
    rows = everything(lake)
    # Corrected away and back, a value stands twice for good reason; the same value twice running is a doubled reading.
    told = sorted(rows.select(*IDENTITY, "seq", "value").rows(), key=lambda row: row[:-1])
    doubled = [row for before, row in pairwise(told) if before[:-2] == row[:-2] and before[-1] == row[-1]]
    assert not doubled
    events = [
        (e.id, e.alarm_id, e.kind, e.entity, e.at, e.level, e.value, e.late, e.state, e.opened_at, e.cleared_at)
        for e in store.events
    ]
    assert len({event[0] for event in events}) == len(events)
    return Outcome(
        lake=sorted(rows.rows(), key=str),
        events=sorted(events, key=str),
        set_aside=sorted((s.seq, s.device, s.property, s.code, s.raw) for s in store.set_aside),
        latest={key: told[-1] for key, told in store.latest.items()},
        crashes=crashes,
    )


def everything(lake: MemoryLake) -> pl.DataFrame:
    """Every row the lake holds of our gauges."""
    start, end = START - timedelta(days=30), START + timedelta(days=30)
    return pl.concat([lake.rows(f"g{n}", name, start, end) for n in range(DEVICES) for name in ("level", "depth")])


levels = st.sampled_from([1.0, 2.4, 2.6, 3.0, 3.5, 4.9, 5.0, 5.5, 60.0])
readings = st.builds(
    lambda device, minute, level: (f"g{device}", reading(minute, level)),
    st.integers(0, DEVICES - 1),
    st.integers(0, 40),
    levels,
)
nonsense = st.tuples(
    st.sampled_from(["g0", "stranger"]),
    st.sampled_from([b"{", b'{"values": {"level": "high"}}', b'{"values": {"level": 1, "colour": 3}}', b"[]"]),
)
streams = st.lists(st.one_of(readings, readings, readings, nonsense), max_size=60)


@example(messages=[("g0", reading(0, level)) for level in (3.0, 1.0, 3.0, 1.0, 3.0)], seed=0, sizes=[1])
@settings(max_examples=40, deadline=None)
@given(messages=streams, seed=st.integers(0, 10_000), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_any_split_and_any_crash_give_the_same_lake_and_alarms(
    messages: list[tuple[str, bytes]], seed: int, sizes: list[int]
) -> None:
    chosen = random.Random(seed)
    whole = run(messages, lambda: 10_000, chance=0.0, seed=seed)
    broken = run(messages, lambda: chosen.choice(sizes), chance=0.12, seed=seed, pace=chosen.choice([0.0, 0.3, 1.5]))
    assert broken == whole


def test_the_property_is_not_empty() -> None:
    """A rising and falling river does reach the lake, opens and clears alarms, and crashes do happen."""
    curve = [1.0, 2.0, 3.2, 3.4, 5.2, 5.4, 4.0, 3.1, 2.2, 1.0]
    messages = [(f"g{n}", reading(minute, level)) for minute, level in enumerate(curve) for n in range(DEVICES)]
    sizes = random.Random(5)
    found = run(messages, lambda: sizes.choice([1, 2, 3, 5]), chance=0.1, seed=5, pace=0.4)
    assert found.crashes > 5
    assert len(found.latest) == 2 * DEVICES
    assert len(found.lake) == 2 * len(messages)
    kinds = Counter(event[2] for event in found.events)
    assert kinds["opened"] == 2 * DEVICES
    assert kinds["cleared"] == 2 * DEVICES
    assert kinds["raised"] == DEVICES


def test_time_does_not_run_ahead_of_what_is_read() -> None:
    """After a pause a condition seems to have lasted, and everything to be missing: the answer waits in the stream."""
    stored = [START]
    bus, store, lake = MemoryBus(clock=lambda: stored[0]), MemoryStore(), MemoryLake()
    for minute, level in enumerate([4.0, 1.0]):
        stored[0] = START + timedelta(minutes=minute)
        bus.publish(subject("g0"), reading(minute, level))
    pipeline = Pipeline(bus=bus, store=store, follower=LakeFollower(lake), brain=brain(DEVICES, lake), streams=[STREAM])
    pipeline.step(STREAM, 1, 0, lambda: NOW)
    pipeline.tick(NOW)
    assert [event.rule for event in store.events] == ["base.gauge.high"]
    pipeline.step(STREAM, 1, 0, lambda: NOW)
    pipeline.step(STREAM, 1, 0, lambda: NOW)
    pipeline.tick(NOW)
    assert Counter(event.rule for event in store.events) == {"base.gauge.high": 2}


class Broken:
    """An intake that fails on one message, as a fault of ours would."""

    def __init__(self, intake: Any) -> None:
        self._intake = intake

    def take(self, messages: Any, memory: Any, now: datetime) -> Any:
        if any(b"poison" in message.payload for message in messages):
            raise ZeroDivisionError("a fault of ours")
        return self._intake.take(messages, memory, now)


def test_a_message_we_fail_on_is_set_aside_and_those_around_it_are_kept() -> None:
    bus, store, lake = MemoryBus(clock=lambda: NOW), MemoryStore(), MemoryLake()
    sound = brain(DEVICES, lake)
    broken = Brain(book=sound.book, world=sound.world, intake=Broken(sound.intake))
    for payload in (reading(0, 1.0), b"poison", reading(1, 1.5)):
        bus.publish(subject("g0"), payload)
    poison: set[tuple[str, int]] = set()
    most = 10
    while bus.open_reader(STREAM).waiting():
        follower = LakeFollower(lake)
        pipeline = Pipeline(
            bus=bus, store=store, follower=follower, brain=broken, streams=[STREAM], poison=frozenset(poison)
        )
        try:
            pipeline.step(STREAM, most, 0, lambda: NOW)
            follower.flush()
        except NotProcessed as problem:
            if len(problem.messages) == 1:
                poison.add((STREAM, problem.messages[0].seq))
            most = max(1, len(problem.messages) // 2)
    assert [(row.seq, row.code) for row in store.set_aside] == [(2, "NOT_PROCESSED")]
    assert everything(lake).filter(pl.col("property") == "level")["value"].to_list() == [1.0, 1.5]
