"""The signed notes NATS exchanges with its auth callout: JWTs with Ed25519 and NATS key encoding.

The request needs no check of its signature: it arrives on a system subject of an account that only this
process may use.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import nkeys

from zhiwan.run.broker_door.decide import Knock


def _encode(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


_HEADER = _encode(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode())


@dataclass(frozen=True)
class Request:
    """What the broker asks: who knocks, and where the answer belongs."""

    knock: Knock
    user_key: str
    server: str


def read_request(token: bytes) -> Request:
    """Read the broker's question. Raises ValueError or KeyError when it is none."""
    _, claims, _ = token.split(b".")
    body = json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))["nats"]
    info, given = body["client_info"], body["connect_opts"]
    return Request(
        knock=Knock(
            user=given.get("user") or "",
            password=given.get("pass") or "",
            client_id=info.get("mqtt_id") or "",
            kind=str(info.get("type") or "").lower(),
            host=info.get("host") or "",
        ),
        user_key=body["user_nkey"],
        server=body["server_id"]["id"],
    )


class Issuer:
    """Signs answers as the account the broker was told to trust."""

    def __init__(self, seed: str, account: str) -> None:
        self._key = nkeys.from_seed(seed.encode())
        self._name = self._key.public_key.decode()
        self._account = account

    def admit(self, request: Request, name: str, permissions: dict[str, Any], until: datetime | None = None) -> bytes:
        """The answer that lets a device in with these permissions; at `until` the broker itself cuts it."""
        user = {"type": "user", "version": 2, **permissions}
        token = self._sign(subject=request.user_key, audience=self._account, name=name, nats=user, until=until)
        return self._respond(request, {"jwt": token.decode()})

    def refuse(self, request: Request, code: str) -> bytes:
        """The answer that keeps it out; the broker logs the code, the device only sees that it was refused."""
        return self._respond(request, {"error": code})

    def _respond(self, request: Request, answer: dict[str, str]) -> bytes:
        nats = {"type": "authorization_response", "version": 2, **answer}
        return self._sign(subject=request.user_key, audience=request.server, name="", nats=nats)

    def _sign(
        self, *, subject: str, audience: str, name: str, nats: dict[str, Any], until: datetime | None = None
    ) -> bytes:
        claims: dict[str, Any] = {"iat": int(time.time()), "iss": self._name, "sub": subject, "aud": audience}
        if name:
            claims["name"] = name
        if until is not None:
            claims["exp"] = int(until.timestamp())
        claims["nats"] = nats
        digest = hashlib.sha256(json.dumps(claims, separators=(",", ":")).encode()).digest()
        claims["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
        signed = _HEADER + b"." + _encode(json.dumps(claims, separators=(",", ":")).encode())
        return signed + b"." + _encode(self._key.sign(signed))
