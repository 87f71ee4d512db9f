"""kill -9 of each process, of the servers, and of everything at once."""

from __future__ import annotations

import os
import random
import signal
import time

from bench.faults.fault import Fault, Options, Told
from bench.faults.processes import await_other, children, kill, pid_of
from bench.faults.stage import Stage

AGAIN = 6.0  # seconds of flow after a killed part was started again


def _kill(part: str, times: int = 1):  # type: ignore[no-untyped-def]
    def do(stage: Stage, options: Options) -> str:
        dice = random.Random(7)
        for turn in range(times):
            pid = kill(stage.product, part)
            await_other(stage.product, part, pid)
            stage.flow(AGAIN if turn == times - 1 else dice.uniform(0.5, 6))
        return f"killed {times} times" if times > 1 else "killed once"

    return do


def _kill_everything(stage: Stage, options: Options) -> str:
    up = stage.product.process
    below = children(up.pid)
    os.kill(up.pid, signal.SIGKILL)
    up.wait()
    end = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") for pid in below) and time.monotonic() < end:
        time.sleep(0.1)
    left = [pid for pid in below if os.path.exists(f"/proc/{pid}")]
    stage.restart()
    stage.flow(AGAIN)
    return f"`zhiwan up` killed, {len(left)} of {len(below)} children outlived it; started again on the same data"


def alive(stage: Stage, part: str) -> bool:
    return pid_of(stage.product, part) is not None


FAULTS = [
    Fault(
        "kill_worker", "kill -9 of the worker", _kill("worker", 3),
        [Told("healthz", r"^worker .*SIGKILL"), Told("page", "数据流处理.*SIGKILL"), Told("up", "worker ended")],
    ),
    Fault(
        "kill_web", "kill -9 of web", _kill("web"),
        [Told("healthz", "web no answer"), Told("lamp", "."), Told("up", "web ended")],
    ),
    Fault(
        "kill_live", "kill -9 of live", _kill("live"),
        [Told("healthz", r"^live "), Told("page", "实时推送"), Told("lamp", "实时中断"), Told("up", "live ended")],
    ),
    Fault(
        "kill_jobs", "kill -9 of jobs", _kill("jobs"),
        [Told("healthz", r"^jobs .*SIGKILL"), Told("page", "后台任务.*SIGKILL"), Told("up", "jobs ended")],
    ),
    Fault(
        "kill_door", "kill -9 of the door", _kill("door"),
        [Told("healthz", r"^door .*SIGKILL"), Told("page", "设备接入.*SIGKILL"), Told("up", "door ended")],
    ),
    Fault(
        "kill_nats", "kill -9 of NATS", _kill("nats"),
        [Told("healthz", r"^bus "), Told("page", "消息总线"), Told("lamp", "实时中断"), Told("up", "NATS ended")],
    ),
    Fault(
        "kill_postgres", "kill -9 of PostgreSQL", _kill("postgres"),
        [Told("healthz", r"^database "), Told("page", "数据库"), Told("up", "PostgreSQL ended")],
    ),
    Fault(
        "kill_everything", "kill -9 of `zhiwan up` with all below it", _kill_everything,
        [Told("healthz", "web no answer"), Told("lamp", "实时中断")],
    ),
]  # fmt: skip
