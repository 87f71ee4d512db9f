"""Chains to break: records as the platform makes them, and heads signed by a key of the test."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from zhiwan.kernel.guard.chain import ZERO, Entry, Link, link
from zhiwan.kernel.guard.heads import NO_LINE, Head, heads_body, line_hash, write_line

START = datetime(2026, 9, 28, 23, 0, tzinfo=UTC)
KEY = "test-key"


def entry(chain: str, seq: int, **changed: Any) -> Entry:
    values: dict[str, Any] = {
        "chain": chain, "seq": seq, "recorded_at": START + timedelta(days=seq), "at": START + timedelta(days=seq),
        "user": 7, "account": "li", "actor": "李", "post": "desk", "organisation": "office", "action": "cases.close",
        "subject": f"case:{seq}", "before": {"state": "taken"}, "after": {"state": "closed", "n": 0.5, "s": [1, None]},
        "purpose": "", "address": "10.0.0.7", "space": "live",
    }  # fmt: skip
    return Entry(**(values | changed))


def chain(name: str, count: int, *, previous: bytes = ZERO, first: int = 1, **changed: Any) -> list[Link]:
    """Records `first`, … of a chain, each linked to the one before."""
    links: list[Link] = []
    for seq in range(first, first + count):
        links.append(link(links[-1].hash if links else previous, entry(name, seq, **changed)))
    return links


def heads(*chains: Sequence[Link]) -> dict[str, Head]:
    """The heads of whole chains, as the database keeps them."""
    return {one[-1].entry.chain: Head(one[-1].entry.seq, one[-1].hash) for one in chains}


def sign(data: bytes) -> bytes:
    return hmac.digest(b"secret", data, hashlib.sha256)


def verify(key: str, signature: bytes, data: bytes) -> bool:
    return key == KEY and hmac.compare_digest(signature, sign(data))


def signed_lines(*heads: dict[str, Head], bodies: Iterable[dict[str, Any]] = ()) -> list[bytes]:
    """A file of signed heads: one line for each, then the other bodies, an hour apart."""
    lines: list[bytes] = []
    for body in [*map(heads_body, heads), *bodies]:
        n, previous = len(lines) + 1, line_hash(lines[-1]) if lines else NO_LINE
        at = START + timedelta(hours=n)
        lines.append(write_line(body, n=n, at=at, previous=previous, key=KEY, sign=sign))
    return lines
