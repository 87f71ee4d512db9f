"""What is kept of a secret that we made."""

from __future__ import annotations

import hashlib


def digest(secret: str) -> bytes:
    """What is stored of a random secret. Secrets are 128 bits or more, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()
