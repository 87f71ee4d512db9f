"""kill -9 of the worker in mid-batch: every accepted reading is in the lake exactly once, no alarm is doubled.

Real processes: embedded PostgreSQL and NATS, `zhiwan worker` as `up` starts it, killed at random moments while
readings keep coming.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from trial_world import PACKS, TOWN, WARNING, subject

from zhiwan.kernel.bus.nats_bus import NatsBus
from zhiwan.kernel.lake import Lake
from zhiwan.run.embedded.child import become, ourselves
from zhiwan.run.embedded.nats import Address, EmbeddedNats, free_port
from zhiwan.run.embedded.postgres import Urls

pytestmark = [pytest.mark.nats, pytest.mark.timeout(240)]
GAUGES = 40
ROUNDS = 60
CURVE = [1.0, 1.5, 2.6, 3.1, 3.6, 5.2, 5.6, 4.4, 3.2, 2.4]


@dataclass
class Stage:
    """What one test run has: servers, data folder, the worker of the moment."""

    urls: Urls
    address: Address
    data: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ZHIWAN_DATA": str(self.data),
            "ZHIWAN_DATABASE_URL": self.urls.login,
            "ZHIWAN_NATS_URL": self.address.url,
            "ZHIWAN_NATS_CREDENTIALS_FILE": str(self.address.credentials_file),
            "ZHIWAN_PACKS": str(PACKS),
            "ZHIWAN_PLACE": "",
            "DJANGO_SETTINGS_MODULE": "zhiwan.city.settings",
        }

    def start_worker(self) -> subprocess.Popen[bytes]:
        with open(self.data / "worker.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "zhiwan.run.cli", "worker"],
                env=self.environment,
                stdout=log,
                stderr=log,
                preexec_fn=become(ourselves(), signal.SIGKILL),
            )
        self.workers.append(process)
        return process

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.urls.owner) as connection:
            return connection.execute(query).fetchall()

    @property
    def log(self) -> str:
        return (self.data / "worker.log").read_text()[-4000:]


@pytest.fixture
def stage(migrated: Urls) -> Iterator[Stage]:
    data = Path(tempfile.mkdtemp(prefix="zw-"))
    server = EmbeddedNats(data, free_port())
    stage = Stage(migrated, server.start(), data)
    register(migrated)
    yield stage
    for process in stage.workers:
        process.kill()
        process.wait()
    server.stop()
    shutil.rmtree(data)


def register(urls: Urls) -> None:
    with psycopg.connect(urls.owner) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE tablename LIKE 'watch_%' OR tablename LIKE 'registry_%'"
        ).fetchall()
        connection.execute(f"TRUNCATE {', '.join(name for (name,) in names)} CASCADE")
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO registry_entity (id, type, name, name_en, town, area, fields)"
                " VALUES (%s, 'TrialGauge', %s, %s, %s, %s, %s)",
                [(f"g{n}", f"G{n}", f"G{n}", TOWN, TOWN, json.dumps({"warning": WARNING})) for n in range(GAUGES)],
            )
            cursor.executemany(
                "INSERT INTO registry_device (id, entity_id, town, secret_hash, enabled, simulated, created_at)"
                " VALUES (%s, %s, %s, '\\x00', true, true, now())",
                [(f"g{n}", f"g{n}", TOWN) for n in range(GAUGES)],
            )


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def test_a_killed_worker_loses_and_doubles_nothing(stage: Stage) -> None:
    bus = NatsBus(stage.address.url, stage.address.credentials_file)
    dice = random.Random(20261124)
    start = (datetime.now(UTC) - timedelta(hours=3)).replace(second=0, microsecond=0)
    accepted: list[tuple[str, datetime, float]] = []
    worker = stage.start_worker()
    next_kill = time.monotonic() + 3.0
    kills = 0
    try:
        for minute in range(ROUNDS):
            at = start + timedelta(minutes=minute)
            for n in range(GAUGES):
                level = CURVE[minute % len(CURVE)] + n / 1000
                bus.publish(subject(f"g{n}"), json.dumps({"at": at.isoformat(), "values": {"level": level}}).encode())
                accepted.append((f"g{n}", at, level))
            time.sleep(0.25)
            if time.monotonic() > next_kill:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
                kills += 1
                worker = stage.start_worker()
                # Sometimes while it still starts, mostly in the middle of work.
                next_kill = time.monotonic() + dice.uniform(0.5, 4.5)
        assert wait_until(lambda: waiting(bus) == 0, 60), stage.log
        outbox = "SELECT count(*) FROM watch_judgestate WHERE kind = 'judge:outbox'"
        assert wait_until(lambda: stage.ask(outbox) == [(0,)], 30), stage.log
    finally:
        bus.close()
    assert kills >= 3
    assert kept(stage, start, "level") == sorted(accepted)
    assert len(kept(stage, start, "depth")) == len(accepted)
    swings = ROUNDS // len(CURVE)
    alarms = Counter(stage.ask("SELECT entity_id, rule FROM watch_alarm"))
    assert alarms == {(f"g{n}", "base.gauge.high"): swings for n in range(GAUGES)} | {
        (f"g{n}", "base.gauge.deep_for_long"): swings for n in range(GAUGES)
    }
    steps = Counter(stage.ask("SELECT alarm_id, kind FROM watch_alarmevent WHERE kind IN ('opened', 'cleared')"))
    assert set(steps.values()) == {1}
    assert stage.ask("SELECT count(*) FROM watch_setaside") == [(0,)]


def waiting(bus: NatsBus) -> int:
    """Unacknowledged messages, asked from the side: a second reader would disturb the worker's."""
    info = bus._call(bus._js.consumer_info("$MQTT_msgs", "worker"))
    return int(info.num_pending or 0) + int(info.num_ack_pending or 0)


def kept(stage: Stage, start: datetime, name: str) -> list[tuple[str, datetime, float]]:
    """Every raw row of the lake: a reading kept twice is here twice."""
    lake = Lake(stage.data / "lake")
    end = start + timedelta(days=1)
    found = [lake.rows(f"g{n}", name, start, end) for n in range(GAUGES)]
    return sorted(row for frame in found for row in frame.select("entity", "observed_at", "value").rows())


def test_a_second_worker_waits_and_takes_over(stage: Stage) -> None:
    first = stage.start_worker()
    beat = "SELECT body->>'pid' FROM watch_heartbeat WHERE process = 'worker'"
    assert wait_until(lambda: stage.ask(beat) == [(str(first.pid),)], 20), stage.log
    second = stage.start_worker()
    waiting = "SELECT count(*) FROM watch_heartbeat WHERE process = 'worker-standby'"
    assert wait_until(lambda: stage.ask(waiting) == [(1,)], 20), stage.log
    assert stage.ask(beat) == [(str(first.pid),)]
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert wait_until(lambda: stage.ask(beat) == [(str(second.pid),)], 20), stage.log
