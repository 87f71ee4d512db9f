"""Processes that stand still or stand in each other's way: a paused worker, two workers, a clock stepped back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg

from bench.faults.fault import Fault, NotRun, Options, Told
from bench.faults.processes import await_other, pid_of
from bench.faults.stage import Stage
from bench.measure import CHECKOUT, compiled
from zhiwan.run.embedded import child as embedded

STEP = 1800  # seconds back


def _paused(stage: Stage, options: Options) -> str:
    worker = pid_of(stage.product, "worker")
    assert worker is not None
    before = stage.fleet.taken()
    os.kill(worker, signal.SIGSTOP)
    try:
        stage.flow(options.pause)
    finally:
        os.kill(worker, signal.SIGCONT)
    waited = stage.fleet.taken() - before
    stage.flow(6.0)
    return f"stopped for {options.pause:g} s; {waited:,} readings were acknowledged meanwhile"


@contextmanager
def another_worker(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """A second `zhiwan worker` with the same addresses, as a second host would run it."""
    with open(stage.data / "logs" / "worker2.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "zhiwan.run.cli", "worker"],
            cwd=CHECKOUT,
            env={**os.environ, **stage.environment, **stage.product.environment()},
            stdout=log,
            stderr=log,
            preexec_fn=embedded.become(embedded.ourselves(), signal.SIGKILL),
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _active(stage: Stage) -> int | None:
    rows = stage.ask("SELECT (body->>'pid')::int FROM watch_heartbeat WHERE process = 'worker'")
    return int(str(rows[0][0])) if rows else None


def _await_active(stage: Stage, pid: int, seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while _active(stage) != pid:
        if time.monotonic() > end:
            raise TimeoutError(f"worker {pid} did not become the active one")
        time.sleep(0.3)


def _two_workers(stage: Stage, options: Options) -> str:
    first = pid_of(stage.product, "worker")
    assert first is not None
    with another_worker(stage) as second:
        stage.flow(8.0)
        both = _active(stage) == first
        # The first is cut off in mid-work and does not know it: its session ends, the second takes over, it wakes up.
        os.kill(first, signal.SIGSTOP)
        _end_sessions_of(stage, first)
        _await_active(stage, second.pid)
        stage.flow(5.0)
        os.kill(first, signal.SIGCONT)
        stage.flow(8.0)
        still = _active(stage) == second.pid
        second.kill()
        second.wait()
        _await_active(stage, first)
        stage.flow(3.0)
    if not (both and still):
        raise AssertionError(f"two were active: the first kept its place {both}, the second {still}")
    return (
        "a second worker waited; the first was stopped and its database session ended, the second took over; the first "
        "woke up and waited"
    )


def _end_sessions_of(stage: Stage, worker: int) -> None:
    """As a database that lost the host would: every session of that process is closed at the server's side."""
    superuser = _admin_url(stage)
    with psycopg.connect(superuser, autocommit=True) as connection:
        ports = connection.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted"
        ).fetchall()
    assert ports, "nobody held the worker's lock"


def _admin_url(stage: Stage) -> str:
    passwords = json.loads((stage.data / "secrets" / "postgres.json").read_text())
    url = urlsplit(stage.database())
    return f"postgresql://zhiwan_admin:{quote(passwords['zhiwan_admin'])}@/postgres?{url.query}"


def clock_environment(file: Path) -> dict[str, str]:
    """Every process of ours reads the time of day through clock.c, whose step stands in a file."""
    if shutil.which("gcc") is None:
        raise NotRun("gcc is missing: apt-get install gcc libc6-dev")
    library = compiled(Path(__file__).with_name("clock.c"), "clock.so", "-shared", "-fPIC")
    step(file, 0)
    return {"LD_PRELOAD": str(library), "ZW_CLOCK_FILE": str(file)}


def step(file: Path, seconds: int) -> None:
    """From now on their clocks are so many seconds ahead."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(struct.pack("=q", seconds * 1_000_000_000))


def _clock(stage: Stage, options: Options) -> str:
    file = Path(stage.environment["ZW_CLOCK_FILE"])
    step(file, -STEP)
    stage.flow(25.0)
    worker = pid_of(stage.product, "worker")
    assert worker is not None
    os.kill(worker, signal.SIGKILL)  # what starts with the wrong clock must do as well
    await_other(stage.product, "worker", worker)
    stage.flow(15.0)
    step(file, 0)
    stage.flow(10.0)
    return f"{STEP} s back for 40 s under all our processes, the worker killed once meanwhile"


FAULTS = [
    Fault(
        "paused_worker", "a worker paused", _paused,
        [
            Told("healthz", "^worker down.*silent"), Told("page", "数据流处理 停止.*没有活动"),
            Told("lamp", "异常.*数据流处理"),
        ],
        settle=180.0,
    ),
    Fault(
        "two_workers", "two workers on one partition", _two_workers, settle=90.0,
    ),
    Fault(
        "clock_back", "a clock stepped back", _clock, [Told("healthz", "ahead")], own_stage="clock",
    ),
]  # fmt: skip
