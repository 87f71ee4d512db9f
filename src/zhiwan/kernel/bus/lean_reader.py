"""The lean end of the hot way: one plain socket that speaks just enough of the NATS protocol to pull from a consumer.

The general client costs 25 µs a message (a task, a queue and an object each), and the worker takes 25,000 messages a
second. Here a batch is read as one run of bytes. Everything that is not hot (reset, acknowledge, publish) stays with
the general client. What goes wrong here is never mended here: the line is dropped, and the reader sets the consumer
back.
"""

from __future__ import annotations

import json
import secrets
import time

from zhiwan.kernel.bus.messages import BusUnavailable
from zhiwan.kernel.bus.wire import Wire

#: How much longer than asked we wait for the server's word that the pull is over.
GRACE_SECONDS = 1.0

#: Subject, address to acknowledge at, payload.
Delivery = tuple[str, str, bytes]


class Line:
    """One connection. `fetch` from one thread at a time; after any failure a new connection is made at the next."""

    def __init__(self, host: str, port: int, login: dict[str, str], name: str) -> None:
        self._place = (host, port)
        self._login = login
        self._name = name
        self._wire: Wire | None = None
        self._pulls = 0
        self._inbox = ""

    def fetch(self, stream: str, reader: str, most: int, wait: float) -> tuple[list[Delivery], bool]:
        """Up to `most` messages in the order of delivery, and whether the pull ended as it should (or was torn).

        Raises BusUnavailable.
        """
        try:
            if self._wire is None:
                self._wire = Wire(*self._place, self._login, f"{self._name}-pull")
                self._inbox = f"_INBOX.{secrets.token_hex(11)}"
            self._ask(self._wire, stream, reader, most, wait)
            found, whole = self._collect(self._wire, stream, most, time.monotonic() + wait + GRACE_SECONDS)
        except (OSError, ValueError, IndexError) as problem:
            self.close()
            raise BusUnavailable(problem=str(problem) or type(problem).__name__) from problem
        if not whole:
            self.close()  # what is still on its way belongs to no later pull
        return found, whole

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None

    def _ask(self, wire: Wire, stream: str, reader: str, most: int, wait: float) -> None:
        # A number of its own for each pull: what comes late for an earlier one is told apart by it.
        self._pulls += 1
        body = json.dumps({"batch": most, "expires": int(wait * 1e9)})
        wire.send(
            f"UNSUB {self._pulls - 1}\r\nSUB {self._inbox}.{self._pulls} {self._pulls}\r\n"
            f"PUB $JS.API.CONSUMER.MSG.NEXT.{stream}.{reader} {self._inbox}.{self._pulls} {len(body)}\r\n"
            f"{body}\r\n".encode()
        )

    def _collect(self, wire: Wire, stream: str, most: int, deadline: float) -> tuple[list[Delivery], bool]:
        """Reads until the batch is full or the server says that the pull is over (False: neither came in time)."""
        found: list[Delivery] = []
        ours = str(self._pulls).encode()
        data, at, over = wire.rest, 0, False
        while not over:
            end = data.find(b"\r\n", at)
            words = data[at:end].split(b" ") if end >= 0 else []
            delivered = bool(words) and words[0] in (b"MSG", b"HMSG")
            stop = end + 2 + (int(words[-1]) + 2 if delivered else 0)
            if end < 0 or stop > len(data):
                try:
                    data, at = data[at:] + wire.receive(deadline - time.monotonic()), 0
                except TimeoutError:
                    break
                continue
            if not delivered:
                wire.hear(words, data[at:end])
            elif words[2] == ours:
                # MSG subject sid [reply] size · HMSG subject sid [reply] size-of-headers size
                head = int(words[-2]) if words[0] == b"HMSG" else 0
                if len(words) == (6 if head else 5):
                    found.append((words[1].decode(), words[3].decode(), data[end + 2 + head : stop - 2]))
                    over = len(found) >= most
                else:
                    # Nobody to reply to, so it is the server's own word: 404, 408, 409; 503 when there is no reader.
                    if data[end + 2 : end + 2 + head].split(b"\r\n", 1)[0].split(b" ")[1:2] == [b"503"]:
                        raise OSError(f"there is no reader of {stream}")
                    over = True
            at = stop
        wire.rest = data[at:]
        return found, over
