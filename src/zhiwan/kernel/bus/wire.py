"""One plain socket that speaks just enough of the NATS protocol for what is hot: connect, send, read as it comes.

The general client costs 25 µs a message (a task, a queue and an object each). What goes wrong here is never mended
here: the wire is closed and whoever holds it opens another.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

CONNECT_SECONDS = 3.0
RECEIVE_BYTES = 1 << 20


class Wire:
    """An open connection that is signed in. `rest` holds bytes that were read but belong to nobody yet."""

    def __init__(self, host: str, port: int, login: Mapping[str, str], name: str) -> None:
        """Raises OSError or ValueError when the server does not answer as it should."""
        self._socket = socket.create_connection((host, port), CONNECT_SECONDS)
        self.rest = b""
        try:
            self._sign_in(host, login, name)
        except BaseException:
            self.close()
            raise

    def _sign_in(self, host: str, login: Mapping[str, str], name: str) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while b"\r\n" not in self.rest:
            self.rest += self.receive(CONNECT_SECONDS)
        said, _, self.rest = self.rest.partition(b"\r\n")
        if json.loads(said.removeprefix(b"INFO ")).get("tls_required"):
            self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=host)
        hello: dict[str, Any] = {
            "verbose": False, "pedantic": False, "headers": True, "no_responders": True, "protocol": 1,
            "lang": "python", "version": "1", "name": name,
        }  # fmt: skip
        if login:
            hello |= {"user": login.get("user"), "pass": login.get("password")}
        self.send(b"CONNECT " + json.dumps(hello).encode() + b"\r\nPING\r\n")
        end = time.monotonic() + CONNECT_SECONDS
        while b"PONG\r\n" not in self.rest:
            if b"-ERR" in self.rest:
                raise OSError(self.rest.decode(errors="replace").strip())
            self.rest += self.receive(end - time.monotonic())
        self.rest = self.rest.partition(b"PONG\r\n")[2]

    def hear(self, words: list[bytes], line: bytes) -> None:
        """A line that delivers nothing: a PING is answered, an error ends the wire."""
        if words[0] == b"PING":
            self.send(b"PONG\r\n")
        elif words[0] == b"-ERR":
            raise OSError(line.decode(errors="replace"))

    def send(self, content: bytes) -> None:
        self._socket.settimeout(CONNECT_SECONDS)
        self._socket.sendall(content)

    def receive(self, seconds: float) -> bytes:
        """Whatever has come, within `seconds`. Raises TimeoutError, or OSError when the server hung up."""
        if seconds <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(seconds)
        content = self._socket.recv(RECEIVE_BYTES)
        if not content:
            raise OSError("the server closed the connection")
        return content

    def close(self) -> None:
        self._socket.close()
