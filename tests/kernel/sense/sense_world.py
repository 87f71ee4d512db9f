"""A small made-up world for the tests of sense: one type, three devices, messages by the minute."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from zhiwan.kernel.bus.messages import Message
from zhiwan.kernel.packs.models import EntityType, Pack
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.sense import DeviceInfo, Intake
from zhiwan.kernel.sense.checks import Seen

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _text(word: str) -> dict[str, str]:
    return {"zh": word, "en": word}


GAUGE = EntityType.model_validate(
    {
        "id": "Gauge",
        "title": _text("gauge"),
        "properties": {
            "level": {
                "title": _text("level"), "unit": "m", "range": [-2, 10],
                "cadence": "5min", "frozen_after": "1h", "skew_after": "10min",
            },
            "co": {"title": _text("CO"), "unit": "mg/m3"},
            "open": {"title": _text("open"), "unit": "1"},
            "mode": {
                "title": _text("mode"), "unit": "1",
                "choices": [{"id": "idle", "title": _text("idle")}, {"id": "run", "title": _text("run")}],
            },
            "index": {"title": _text("index"), "unit": "1", "derived": True},
        },
    }
)  # fmt: skip

PACKS = PackSet(
    [
        Pack.model_validate(
            {
                "manifest": {
                    "id": "life.gauges", "version": "1.0.0", "title": _text("gauges"), "summary": _text("gauges"),
                    "owner": _text("nobody"), "mission": [], "abilities": [],
                },
                "types": [GAUGE],
            }
        )
    ]
)  # fmt: skip

DEVICES = {name: DeviceInfo(entity=f"e-{name}", type="Gauge") for name in ("g1", "g2", "g3")}


def intake(seen: Seen | None = None) -> Intake:
    return Intake(PACKS, DEVICES, seen)


def message(content: object, seq: int = 1, device: str = "g1", kind: str = "telemetry", at: datetime = NOON) -> Message:
    """A message as the MQTT stream keeps it; `content` is JSON-able, or bytes as they are."""
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Message("$MQTT_msgs", seq, f"$MQTT.msgs.devices.{device}.{kind}", payload, at)


def rows_message(lines: bytes, seq: int = 1, at: datetime = NOON) -> Message:
    """A message as the HTTP door publishes it."""
    return Message("INTAKE", seq, "intake.api", lines, at)
