"""kill -9 of each process, of the servers, and of everything at once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from bench.faults.fault import Fault, Options, Told
from bench.faults.processes import await_other, children, kill
from bench.faults.stage import Stage

AGAIN = 6.0  # seconds of flow after a killed part was started again


def _kill(part: str, times: int = 1) -> Callable[[Stage, Options], str]:
    def do(stage: Stage, options: Options) -> str:
        dice = random.Random(7)
        for turn in range(times):
            pid = kill(stage.product, part)
            if part == "door":
                stage.fleet.call_again(10)  # who is inside needs no door
            await_other(stage.product, part, pid)
            stage.flow(AGAIN if turn == times - 1 else dice.uniform(2, 6))
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


def _crash(part: str, name: str, page: str, lamp: str) -> list[Told]:
    """Told by all that tell: the machines' page, the people's page, the lamp of an open page, and `up`."""
    return [
        Told("healthz", f"^{part} down.*SIGKILL"),
        Told("page", f"^{page} 停止.*SIGKILL"),
        Told("lamp", lamp),
        Told("up", rf"{name} ended \(killed by SIGKILL\)"),
    ]


FAULTS = [
    Fault(
        "kill_worker", "kill -9 of the worker", _kill("worker", 3),
        _crash("worker", "worker", "数据流处理", "异常.*数据流处理"),
    ),
    Fault(
        "kill_web", "kill -9 of web", _kill("web"),
        [Told("healthz", "web no answer"), Told("lamp", "异常.*网页"), Told("up", r"web ended \(killed by SIGKILL\)")],
    ),
    Fault("kill_live", "kill -9 of live", _kill("live"), _crash("live", "live", "实时推送", "实时中断")),
    Fault("kill_jobs", "kill -9 of jobs", _kill("jobs"), _crash("jobs", "jobs", "后台任务", "异常.*后台任务")),
    Fault("kill_door", "kill -9 of the door", _kill("door"), _crash("door", "door", "设备接入", "异常.*设备接入")),
    Fault("kill_nats", "kill -9 of NATS", _kill("nats"), _crash("bus", "NATS", "消息总线", "实时中断")),
    Fault(
        "kill_postgres", "kill -9 of PostgreSQL", _kill("postgres"),
        [
            *_crash("database", "PostgreSQL", "数据库", "异常.*数据库"),
            Told("page", "503.*数据库没有应答"), Told("api", "503.*API-503"),
        ],
    ),
    Fault(
        "kill_everything", "kill -9 of `zhiwan up` with all below it", _kill_everything,
        [Told("healthz", "web no answer"), Told("lamp", "实时中断")],
    ),
]  # fmt: skip
