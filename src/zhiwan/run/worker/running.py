"""The worker process: waits for its lock, opens the pipeline, goes round, and opens anew after any failure."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from zhiwan.kernel.bus.messages import INTAKE, MQTT, READER
from zhiwan.kernel.bus.port import Bus
from zhiwan.kernel.facts.spaces import SpaceClock
from zhiwan.run.worker.brain import LIVE, Brain
from zhiwan.run.worker.pipeline import NotProcessed, Pipeline

log = logging.getLogger(__name__)

STREAMS = (MQTT.name, INTAKE.name)
MOST = 20_000
BATCH_SECONDS = 0.25
#: The quieter stream is asked briefly: what waits there is taken at once, nothing waits for it.
GLANCE_SECONDS = 0.02
TICK_SECONDS = 5.0
INDICATOR_SECONDS = 10.0
REGISTRY_SECONDS = 3.0
BEAT_SECONDS = 2.0
#: A story's clock runs hundreds of times faster: what is on its way to us for a second must not look missing.
STORY_TICK_BEHIND = timedelta(seconds=2)
STORY_SECONDS = (0.5, 2.0, 2.0, 2.0)  # the same for a story: its clock runs faster than ours
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
#: After a batch that could not be judged, go on in ever smaller batches until the message is found.
SMALLEST = 1


@dataclass
class Told:
    """What the worker says of itself to /healthz and /metrics."""

    started_at: str = ""
    messages: int = 0
    batches: int = 0
    restarts: int = 0
    latest_reading_at: str | None = None
    last_batch: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None


class Worker:
    """Runs until `stop` is set."""

    def __init__(self, stop: threading.Event, space: str = LIVE) -> None:
        self._stop = stop
        self._space = space
        self._process = "worker" if space == LIVE else f"worker:{space}"
        self._told = Told(started_at=now().isoformat())
        self._poison: set[tuple[str, int]] = set()
        self._most = MOST
        self._elsewhere = 0  # devices of other spaces, which we pass over

    def run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._session()
            except NotProcessed as problem:
                self._narrow(problem)
                continue
            except Exception as problem:
                self._told.problem = type(problem).__name__  # the rest is for the log: /healthz is open to all
                log.exception("the pipeline stopped; opening it anew from what is committed")
            self._told.restarts += 1
            pause = FIRST_PAUSE if time.monotonic() - began > 30 else min(pause * 2, LONGEST_PAUSE)
            self._stop.wait(pause)

    def _narrow(self, problem: NotProcessed) -> None:
        """Halve the batch until one message is left; that one is set aside and the batches grow again."""
        log.error("%s", problem, exc_info=problem.problem)
        self._told.problem = type(problem.problem).__name__
        self._told.restarts += 1
        if len(problem.messages) == 1:
            message = problem.messages[0]
            self._poison.add((message.stream, message.seq))
            self._most = MOST
        else:
            self._most = max(SMALLEST, len(problem.messages) // 2)

    def _session(self) -> None:
        """One opened pipeline, from the lock to the first failure or the end."""
        from django.db import connection

        from zhiwan.city.packs_loaded import book, lake, packs, region, the_bus
        from zhiwan.city.registry.clock import clock_of
        from zhiwan.city.watch.taken_up import note_taken_up
        from zhiwan.run.worker.brain import make_brain
        from zhiwan.run.worker.lake_follower import LakeFollower
        from zhiwan.run.worker.recalling import recall
        from zhiwan.run.worker.store import PostgresStore, brain_version, read_registry, take_lock

        connection.close()  # a new session: the lock of the old one is gone with it
        while not take_lock(self._space):
            self._beat("waiting", None, None)
            if self._stop.wait(1.0):
                return
        bus = the_bus()
        version = brain_version()
        registry = read_registry()
        brain = make_brain(packs(), book(), registry, region(), lake().seen, self._space)
        clock = None if self._space == LIVE else clock_of(self._space)
        reader = READER if self._space == LIVE else story_readers(bus, self._space, brain)
        follower = LakeFollower(lake())
        pipeline = Pipeline(
            bus=bus,
            store=PostgresStore(STREAMS),
            follower=follower,
            brain=brain,
            streams=STREAMS,
            poison=frozenset(self._poison),
            reader=reader,
            clock=clock,
        )
        self._elsewhere = len(registry.elsewhere)
        recall(pipeline.judging, brain, lake(), now(clock))
        note_taken_up(serial=version[1], at=now(clock))
        follower.start()
        log.warning("worker active: %d devices", len(brain.intake.devices))
        try:
            self._rounds(pipeline, follower, version)
        finally:
            follower.stop()
            connection.close()

    def _rounds(self, pipeline: Pipeline, follower: Any, version: tuple[int, int]) -> None:
        from zhiwan.city.packs_loaded import book, lake, packs, region, the_bus
        from zhiwan.city.registry.clock import clock_of
        from zhiwan.city.watch.taken_up import note_taken_up
        from zhiwan.run.worker.brain import make_brain
        from zhiwan.run.worker.recalling import recall
        from zhiwan.run.worker.rounds import Cadences, Every, indicators
        from zhiwan.run.worker.store import brain_version, read_registry

        tick, signs, registry, beat = (
            Every(seconds)
            for seconds in (
                (TICK_SECONDS, INDICATOR_SECONDS, REGISTRY_SECONDS, BEAT_SECONDS)
                if self._space == LIVE
                else STORY_SECONDS
            )
        )
        cadences = Cadences()
        while not self._stop.is_set():
            if pipeline.clock is not None:
                pipeline.clock = clock_of(self._space)  # before each pull: see kernel/facts/spaces.py
            # A lake that is away for long must not silence us: nothing more is taken, the streams fill and refuse.
            if crowded := follower.crowded:
                self._stop.wait(BATCH_SECONDS)
            for stream, wait in () if crowded else zip(STREAMS, (BATCH_SECONDS, GLANCE_SECONDS), strict=True):
                self._take(pipeline, stream, wait)
            if registry.due() and (found := brain_version()) != version:
                version = found
                found_registry = read_registry()
                pipeline.brain = make_brain(packs(), book(), found_registry, region(), lake().seen, self._space)
                recall(pipeline.judging, pipeline.brain, lake(), now(pipeline.clock))
                note_taken_up(serial=version[1], at=now(pipeline.clock))
                self._elsewhere = len(found_registry.elsewhere)
                if self._space != LIVE:
                    story_readers(the_bus(), self._space, pipeline.brain)
            pipeline.settle(now(pipeline.clock))
            if not crowded and tick.due():
                pipeline.tick(now(pipeline.clock, behind=STORY_TICK_BEHIND))
            if signs.due():
                try:
                    indicators(pipeline.brain, follower.lake, now(pipeline.clock), cadences)
                except Exception:
                    # A figure that cannot be computed must not hold up readings; a database that is gone will tell
                    # with the next batch.
                    log.exception("vital signs were not computed")
            if beat.due():
                self._beat("active", pipeline, follower)

    def _take(self, pipeline: Pipeline, stream: str, wait: float) -> None:
        began = time.monotonic()
        count = pipeline.step(stream, self._most, wait, lambda: now(pipeline.clock))
        if count:
            self._most = min(MOST, self._most * 2)
            self._told.messages += count
            self._told.batches += 1
            self._told.latest_reading_at = now().isoformat()
            self._told.last_batch = {
                "stream": stream,
                "messages": count,
                "seconds": round(time.monotonic() - began, 3),
                "at": self._told.latest_reading_at,
            }
            self._told.problem = None

    def _beat(self, state: str, pipeline: Pipeline | None, follower: Any) -> None:
        from zhiwan.city.packs_loaded import in_force
        from zhiwan.city.watch.heartbeat import beat

        body = {
            **self._told.__dict__,
            "state": state,
            "pid": os.getpid(),
            "waiting_messages": pipeline.waiting() if pipeline else {},
            "lake_waiting_rows": follower.waiting_rows if follower else 0,
            "lake_commits": follower.commits if follower else 0,
            "lake_problem": follower.problem if follower else None,
            "judge_problems": pipeline.judge_problems if pipeline else 0,
            "set_aside_unjudged": len(self._poison),
            "devices_elsewhere": self._elsewhere,
            "rules": in_force().version,
        }
        # A waiting worker must not speak under the active one's name.
        beat(process=self._process if state == "active" else "worker-standby", at=now(), body=body)


def now(clock: SpaceClock | None = None, behind: timedelta = timedelta(0)) -> datetime:
    """Our time, or that of a space, which its ticker asks for a little late."""
    real = datetime.now(UTC)
    return clock.at(real - behind) if clock is not None else real


def story_readers(bus: Bus, space: str, brain: Brain) -> str:
    """Make our readers of the streams: only the space's own devices, so that nothing else is kept for us."""
    topics = [f"{MQTT.subjects[0].removesuffix('>')}devices.{device}.>" for device in brain.intake.devices]
    bus.add_reader(MQTT.name, space, topics or [f"$MQTT.msgs.none.{space}"])
    bus.add_reader(INTAKE.name, space, [INTAKE.filter])
    return space


def main(space: str = LIVE) -> None:
    """`zhiwan worker [--space …]`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
    import django

    django.setup()
    from zhiwan.city.people.acting import use_space

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    use_space(space)
    Worker(stop, space).run()
