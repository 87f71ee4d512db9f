"""The lean end of the hot way: one plain socket that speaks just enough of the NATS protocol to pull from a consumer.

The general client costs 25 µs a message (a task, a queue and an object each), and the worker takes 25,000 messages a
second. Here a batch is read as one run of bytes. Everything that is not hot (reset, acknowledge, publish) stays with
the general client. What goes wrong here is never mended here: the line is dropped, and the reader sets the consumer
back.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import time
from typing import Any

from zhiwan.kernel.bus.messages import BusUnavailable

CONNECT_SECONDS = 3.0
#: How much longer than asked we wait for the server's word that the pull is over.
GRACE_SECONDS = 1.0
RECEIVE_BYTES = 1 << 20

#: Subject, address to acknowledge at, payload.
Delivery = tuple[str, str, bytes]


class Line:
    """One connection. `fetch` from one thread at a time; after any failure a new connection is made at the next."""

    def __init__(self, host: str, port: int, login: dict[str, str], name: str) -> None:
        self._place = (host, port)
        self._login = login
        self._name = name
        self._socket: socket.socket | None = None
        self._rest = b""
        self._pulls = 0
        self._inbox = ""

    def fetch(self, stream: str, reader: str, most: int, wait: float) -> tuple[list[Delivery], bool]:
        """Up to `most` messages in the order of delivery, and whether the pull ended as it should (or was torn).

        Raises BusUnavailable.
        """
        try:
            if self._socket is None:
                self._open()
            self._ask(stream, reader, most, wait)
            found, whole = self._collect(stream, most, time.monotonic() + wait + GRACE_SECONDS)
        except (OSError, ValueError, IndexError) as problem:
            self.close()
            raise BusUnavailable(problem=str(problem) or type(problem).__name__) from problem
        if not whole:
            self.close()  # what is still on its way belongs to no later pull
        return found, whole

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""

    def _open(self) -> None:
        line = socket.create_connection(self._place, CONNECT_SECONDS)
        self._socket, self._rest = line, b""
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while b"\r\n" not in self._rest:
            self._rest += self._receive(CONNECT_SECONDS)
        said, _, self._rest = self._rest.partition(b"\r\n")
        if json.loads(said.removeprefix(b"INFO ")).get("tls_required"):
            self._socket = ssl.create_default_context().wrap_socket(line, server_hostname=self._place[0])
        hello: dict[str, Any] = {
            "verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1,
            "lang": "python", "version": "1", "name": f"{self._name}-pull",
        }  # fmt: skip
        if self._login:
            hello |= {"user": self._login.get("user"), "pass": self._login.get("password")}
        self._inbox = f"_INBOX.{secrets.token_hex(11)}"
        self._send(b"CONNECT " + json.dumps(hello).encode() + b"\r\nPING\r\n")
        end = time.monotonic() + CONNECT_SECONDS
        while b"PONG\r\n" not in self._rest:
            if b"-ERR" in self._rest:
                raise OSError(self._rest.decode(errors="replace").strip())
            self._rest += self._receive(end - time.monotonic())
        self._rest = self._rest.partition(b"PONG\r\n")[2]

    def _ask(self, stream: str, reader: str, most: int, wait: float) -> None:
        # A number of its own for each pull: what comes late for an earlier one is told apart by it.
        self._pulls += 1
        body = json.dumps({"batch": most, "expires": int(wait * 1e9)})
        self._send(
            f"UNSUB {self._pulls - 1}\r\nSUB {self._inbox}.{self._pulls} {self._pulls}\r\n"
            f"PUB $JS.API.CONSUMER.MSG.NEXT.{stream}.{reader} {self._inbox}.{self._pulls} {len(body)}\r\n"
            f"{body}\r\n".encode()
        )

    def _collect(self, stream: str, most: int, deadline: float) -> tuple[list[Delivery], bool]:
        """Reads until the batch is full or the server says that the pull is over (False: neither came in time)."""
        found: list[Delivery] = []
        ours = str(self._pulls).encode()
        data, at, over = self._rest, 0, False
        while not over:
            end = data.find(b"\r\n", at)
            words = data[at:end].split(b" ") if end >= 0 else []
            delivered = bool(words) and words[0] in (b"MSG", b"HMSG")
            stop = end + 2 + (int(words[-1]) + 2 if delivered else 0)
            if end < 0 or stop > len(data):
                try:
                    data, at = data[at:] + self._receive(deadline - time.monotonic()), 0
                except TimeoutError:
                    break
                continue
            if not delivered:
                self._hear(words, data[at:end])
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
        self._rest = data[at:]
        return found, over

    def _hear(self, words: list[bytes], line: bytes) -> None:
        if words[0] == b"PING":
            self._send(b"PONG\r\n")
        elif words[0] == b"-ERR":
            raise OSError(line.decode(errors="replace"))

    def _send(self, content: bytes) -> None:
        assert self._socket is not None  # noqa: S101 (fetch has opened it)
        self._socket.settimeout(CONNECT_SECONDS)
        self._socket.sendall(content)

    def _receive(self, seconds: float) -> bytes:
        assert self._socket is not None  # noqa: S101
        if seconds <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(seconds)
        content = self._socket.recv(RECEIVE_BYTES)
        if not content:
            raise OSError("the server closed the connection")
        return content
