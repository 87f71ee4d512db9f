"""The `zhiwan simulator` process: the fleet of this city's packs and place against its own MQTT door."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from zhiwan.city.packs_loaded import packs, place
from zhiwan.run.simulator.faults import messages
from zhiwan.run.simulator.fleet import SEED, SimDevice, build_fleet
from zhiwan.run.simulator.models import World
from zhiwan.run.simulator.publisher import Publisher, Report
from zhiwan.run.simulator.secrets import read_secrets


def run(*, speed: float = 1.0, seed: int = SEED) -> None:
    """Publish until SIGTERM or Ctrl-C."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft < hard else soft, hard))  # a socket per device
    fleet = build_fleet(packs(), place(), seed)
    world = World(fleet, place(), seed, began=datetime.now(UTC), speed=speed)
    publisher = Publisher(
        fleet,
        read_secrets(Path(settings.ZHIWAN_DATA)),
        reporter(world),
        host=os.environ.get("ZHIWAN_MQTT_HOST", "127.0.0.1"),
        port=int(os.environ.get("ZHIWAN_MQTT_PORT", "1883")),
        speed=speed,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, publisher.stop)
    threading.Thread(target=_tell, args=(publisher,), daemon=True).start()
    print(f"simulator: {len(fleet)} devices, speed {speed:g}; all they report is 模拟数据", flush=True)  # noqa: T201
    publisher.run()


def reporter(world: World) -> Report:
    """What a device sends: the world's values, spoilt where a fault was planted."""
    types = packs().types

    def report(device: SimDevice, at: datetime, count: int) -> Iterator[dict[str, Any]]:
        own = types[device.type].properties[device.fault.property] if device.fault else None
        return messages(device, world.values(device, at), at, count, own)

    return report


def _tell(publisher: Publisher) -> None:
    """A line in the log every minute."""
    while True:
        time.sleep(60)
        print(f"simulator: {publisher.counts}", flush=True)  # noqa: T201
