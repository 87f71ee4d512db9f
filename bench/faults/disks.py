"""A file system that is really full: under the lake, under NATS' store, under PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

from bench.faults.fault import Fault, NotRun, Options, Told
from bench.faults.mounts import SIZES_MB, empty, fill, free
from bench.faults.stage import Stage

FULL_FOR = 20.0
AFTER = 5.0


def _full(folder: str) -> Callable[[Stage, Options], str]:
    def do(stage: Stage, options: Options) -> str:
        if stage.no_mounts:
            raise NotRun(stage.no_mounts)
        place = stage.data / folder
        fill(place)
        try:
            # What the part frees by itself meanwhile is taken too.
            for _ in range(int(FULL_FOR / 2)):
                stage.flow(2.0)
                fill(place)
            left = free(place)
        finally:
            empty(place)
        stage.flow(AFTER)
        return f"{SIZES_MB[folder]} MB file system with {left} bytes left for {FULL_FOR:g} s"

    return do


FAULTS = [
    Fault(
        "full_lake", "full file system under the lake", _full("lake"),
        [
            Told("healthz", "^worker degraded.*lake's disk is full"), Told("healthz", "^disk degraded.*lake"),
            Told("page", "数据流处理 异常.*历史库所在磁盘已满"),
            Told("page", "磁盘 异常.*磁盘已满：lake"), Told("lamp", "异常.*磁盘"),
        ],
    ),
    Fault(
        "full_nats", "full file system under NATS", _full("nats"),
        [
            Told("healthz", "^disk degraded.*nats"), Told("page", "磁盘 异常.*磁盘已满：nats"),
            Told("lamp", "异常.*磁盘"),
            Told("up", "NATS is ill"),
        ],
        counts=["STREAM_FULL"], settle=120.0,
    ),
    Fault(
        "full_postgres", "full file system under PostgreSQL", _full("postgres"),
        [Told("healthz", "^disk degraded.*postgres"), Told("page", "磁盘.*已满|503.*磁盘"), Told("lamp", "异常.*磁盘")],
        settle=120.0,
    ),
]  # fmt: skip
