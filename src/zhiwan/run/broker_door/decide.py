"""Whether a device may come in: its id is its MQTT user and its client id, its password is its secret.

The client id must be its own: MQTT throws out an older session of the same client id, so a foreign one would be a way
to silence another device.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
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
    """What the registry knows of a device: the SHA-256 of its secret and whether it may come in at all.

    A plain hash, and no slow one: secrets are 128 random bits, which nobody guesses however fast; and thousands of
    devices come back at once after a power cut.
    """

    secret_hash: bytes
    enabled: bool
    old_hash: bytes | None = None  # of the secret before a rotation
    old_until: datetime | None = None
    cut_at: datetime | None = None  # connections that began before are to be cut


@dataclass(frozen=True)
class Answer:
    """`code`: why not; None: come in. `until`: then this way in ends, because the secret was the old one."""

    code: str | None
    until: datetime | None = None


def judge(knock: Knock, known: KnownDevice | None, at: datetime) -> Answer:
    """Whether it may come in. The device is told only that it was refused."""
    if knock.kind != "mqtt":
        return Answer("NOT_MQTT")
    if not DEVICE_ID.fullmatch(knock.user):
        return Answer("BAD_DEVICE_ID")
    if knock.client_id != knock.user:
        return Answer("FOREIGN_CLIENT_ID")
    given = hashlib.sha256(knock.password.encode()).digest()
    # Compared in any case, so that the time of the answer does not tell which devices there are.
    right = hmac.compare_digest(given, known.secret_hash if known else bytes(32))
    old = hmac.compare_digest(given, (known.old_hash if known else None) or bytes(32))
    if known is None:
        return Answer("UNKNOWN_DEVICE")
    until = known.old_until if old and not right else None
    if not right and (until is None or until <= at):
        return Answer("WRONG_PASSWORD")
    if not known.enabled:
        return Answer("DEVICE_DISABLED")
    return Answer(None, until)


def permissions(device: str) -> dict[str, Any]:
    """What a device may do, in NATS words: send below its own id, hear what is meant for it."""
    return {
        "pub": {"allow": [f"devices.{device}.telemetry", f"devices.{device}.senml", f"devices.{device}.answers"]},
        # `commands/<id>/#` also means `commands/<id>` itself; and the broker delivers messages
        # to a subscriber through an inbox of the last form.
        "sub": {"allow": [f"commands.{device}", f"commands.{device}.>", "$MQTT.sub.>"]},
        "subs": 16,
        "data": -1,
        "payload": -1,
        "allowed_connection_types": ["MQTT"],
    }
