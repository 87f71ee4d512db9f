"""Whether a device may come in: its id is its MQTT user and its client id, its password is its secret.

The client id must be its own: MQTT throws out an older session of the same client id, so a foreign one would be a way
to silence another device.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Knock:
    """One attempt to connect, as the broker describes it."""

    user: str
    password: str
    client_id: str
    kind: str  # mqtt, nats, websocket
    host: str = ""


@dataclass(frozen=True)
class KnownDevice:
    """What the registry knows of a device: the SHA-256 of its secret and whether it may come in at all."""

    secret_hash: bytes
    enabled: bool


def refusal(knock: Knock, known: KnownDevice | None) -> str | None:
    """The code of why not, or None: come in. The device is told only that it was refused."""
    if knock.kind != "mqtt":
        return "NOT_MQTT"
    if not DEVICE_ID.fullmatch(knock.user):
        return "BAD_DEVICE_ID"
    if knock.client_id != knock.user:
        return "FOREIGN_CLIENT_ID"
    given = hashlib.sha256(knock.password.encode()).digest()
    # Compared in any case, so that the time of the answer does not tell which devices there are.
    right = hmac.compare_digest(given, known.secret_hash if known else bytes(32))
    if known is None:
        return "UNKNOWN_DEVICE"
    if not right:
        return "WRONG_PASSWORD"
    if not known.enabled:
        return "DEVICE_DISABLED"
    return None


def permissions(device: str) -> dict[str, Any]:
    """What a device may do, in NATS words: send below its own id, hear what is meant for it."""
    return {
        "pub": {"allow": [f"devices.{device}.telemetry", f"devices.{device}.senml"]},
        # `commands/<id>/#` also means `commands/<id>` itself; and the broker delivers messages
        # to a subscriber through an inbox of the last form.
        "sub": {"allow": [f"commands.{device}", f"commands.{device}.>", "$MQTT.sub.>"]},
        "subs": 16,
        "data": -1,
        "payload": -1,
        "allowed_connection_types": ["MQTT"],
    }
