"""Streams: one at its limit, and streams that were deleted under everybody's hands."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats
from nats.js import JetStreamContext

from bench.faults.fault import Fault, Options, Told
from bench.faults.processes import pid_of
from bench.faults.stage import Stage
from zhiwan.kernel.bus.messages import INTAKE, MQTT

SMALL = 400_000  # bytes: some seconds of flow
FULL_FOR = 15.0
AFTER = 5.0


def at_the_bus(stage: Stage, work: Callable[[JetStreamContext], Awaitable[Any]]) -> Any:
    """Do something as an operator with the platform's own login would."""

    async def run() -> Any:
        environment = stage.product.environment()
        login = json.loads(Path(environment["ZHIWAN_NATS_CREDENTIALS_FILE"]).read_text())
        client = await nats.connect(environment["ZHIWAN_NATS_URL"], user=login["user"], password=login["password"])
        try:
            return await work(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(run())


def _set_limit(stage: Stage, sizes: dict[str, int]) -> None:
    async def work(js: JetStreamContext) -> None:
        for name, size in sizes.items():
            found = (await js.stream_info(name)).config
            found.max_bytes = size
            await js.update_stream(found)

    at_the_bus(stage, work)


def _at_limit(stage: Stage, options: Options) -> str:
    worker = pid_of(stage.product, "worker")
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    try:
        _set_limit(stage, {MQTT.name: SMALL, INTAKE.name: SMALL // 10})
        stage.flow(FULL_FOR + 10)
        before = stage.fleet.taken()
        stage.flow(3.0)
        while_full = stage.fleet.taken() - before
    finally:
        os.kill(worker, signal.SIGCONT)
    stage.flow(AFTER)
    _set_limit(stage, {MQTT.name: MQTT.max_bytes, INTAKE.name: INTAKE.max_bytes})
    stage.flow(AFTER)
    return f"limits lowered to {SMALL:,} bytes, the worker stopped; {while_full} readings acknowledged in 3 s when full"


def _recreated(stage: Stage, options: Options) -> str:
    async def work(js: JetStreamContext) -> None:
        for name in (MQTT.name, INTAKE.name):
            await js.delete_stream(name)

    # What waits in a stream is gone with it, whatever anybody does: so first let it be read.
    stage.fleet.rest()
    stage.flow(4.0)
    at_the_bus(stage, work)
    stage.fleet.flow()
    stage.flow(20.0)
    return "both streams deleted while nothing waited in them; gauges sent on at once"


FAULTS = [
    Fault(
        "stream_at_limit", "streams at their limit", _at_limit,
        [
            Told("healthz", "^bus degraded.*MQTT_msgs is full"), Told("page", "消息总线 异常.*已满"),
            Told("lamp", "异常.*消息总线"), Told("api", "429.*BUS-002"), Told("healthz", "^worker down.*silent"),
        ],
        counts=["STREAM_FULL"],
    ),
    Fault(
        "recreated_stream", "streams deleted and made anew", _recreated,
        [Told("healthz", "^bus down.*stream not found")],
    ),
]  # fmt: skip
