"""An open page as far as the live stream goes: signs in, opens the stream, notes when each alarm's hint arrives.

A hint of an alarm tells the event time of the reading that opened it, and the generator puts the intended send time
there; so the difference to the clock, here, is what a person at the page waits, counted from the intention.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field

import httpx

from bench.product import Product


@dataclass
class Page:
    """One stream that reads along in a thread until `close`."""

    product: Product
    values: str = "none"
    #: (entity, milliseconds from intended send time to here, event time) of each alarm that opened
    opened: list[tuple[str, float, int]] = field(default_factory=list)
    reloads: int = 0
    hints: int = 0
    bytes: int = 0
    problem: str | None = None
    _stop: bool = False

    def open(self, client: httpx.Client) -> None:
        """Sign in with `client` before; it may be shared by pages."""
        address = client.get("/live/ticket").json()["address"]
        self._thread = threading.Thread(target=self._read, args=(f"{address}&values={self.values}",), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop = True

    def _read(self, address: str) -> None:
        try:
            with (
                httpx.Client(timeout=httpx.Timeout(10, read=30), trust_env=False) as client,
                client.stream("GET", address) as answer,
            ):
                answer.raise_for_status()
                event = ""
                for line in answer.iter_lines():
                    now = time.time() * 1000
                    if self._stop:
                        return
                    self.bytes += len(line) + 1
                    if line.startswith("event: "):
                        event = line[7:]
                        self.reloads += event == "reload"
                    elif line.startswith("data: ") and event == "changes":
                        self._take(line[6:], now)
        except (httpx.HTTPError, ValueError) as problem:
            self.problem = f"{type(problem).__name__}: {problem}"

    def _take(self, data: str, now: float) -> None:
        hints = json.loads(data)
        self.hints += len(hints)
        for hint in hints:
            if hint.get("kind") == "alarm" and hint.get("event") == "opened":
                self.opened.append((hint["entity"], now - hint["at"], hint["at"]))


def signed_in(product: Product) -> httpx.Client:
    """A client with the cookies of somebody who came in by a link."""
    client = httpx.Client(base_url=product.url, timeout=30, trust_env=False, follow_redirects=True)
    with contextlib.suppress(httpx.TransportError):
        client.get(product.link())
    return client
