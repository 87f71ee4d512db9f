"""The small world of the fault tests: a few gauges, their devices, and messages as a broker stores them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from zhiwan.kernel.judge import RuleBook
from zhiwan.kernel.lake import LakePort
from zhiwan.kernel.packs.load import load_packs
from zhiwan.run.worker.brain import Brain, Registry, make_brain

PACKS = Path(__file__).parent / "packs"
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TOWN = "999999001"
WARNING = 3.0


def registry(devices: int) -> Registry:
    """Gauges g0… with one device each, of the same id."""
    entities = [
        {
            "id": f"g{n}",
            "type": "TrialGauge",
            "name": f"G{n}",
            "town": TOWN,
            "area": TOWN,
            "lon": 121.0,
            "lat": 30.0,
            "fields": {"warning": WARNING},
        }
        for n in range(devices)
    ]
    return Registry(entities=entities, relations=[], devices=[(f"g{n}", f"g{n}") for n in range(devices)])


@cache
def compiled() -> RuleBook:
    return RuleBook.compile(load_packs([PACKS]))


def brain(devices: int, lake: LakePort) -> Brain:
    book = compiled()
    return make_brain(book.packs, book, registry(devices), "CN", lake.seen)


def subject(device: str) -> str:
    return f"$MQTT.msgs.devices.{device}.telemetry"


def reading(minute: float, level: float) -> bytes:
    at = START + timedelta(minutes=minute)
    return json.dumps({"at": at.isoformat(), "values": {"level": level}}).encode()
