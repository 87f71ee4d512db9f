"""Readings sent with QoS 0 (the default of many clients): taken where possible, promised to nobody.

The broker keeps only QoS 1 and 2 publishes in the stream the worker reads. Here the others are stored in the same
stream, with a bound on how many may wait; what does not fit is counted as lost, as MQTT allows at QoS 0.

The broker can only be asked for everything that devices publish, of which most is QoS 1 and not ours: so it is read as
runs of bytes in a thread (1.5 µs a message), not by the general client (25 µs).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import Error as NatsError

from zhiwan.kernel.bus.wire import Wire
from zhiwan.run.broker_door.refusals import Refusals

log = logging.getLogger(__name__)

MOST_WAITING = 2000
#: The broker puts the QoS of the publisher into a header.
QOS_0 = b"Nmqtt-Pub:0"
KINDS = ("telemetry", "senml", "answers")
#: Between two looks: many small packets of the broker are one read.
GATHER_SECONDS = 0.05
REOPEN_SECONDS = 1.0
Published = tuple[str, bytes]  # subject, payload


class BestEffort:
    """Stores what devices publish with QoS 0."""

    def __init__(self, client: Client, url: str, credentials: Path, refusals: Refusals) -> None:
        self._js = client.jetstream(timeout=5)
        self._url = urlsplit(url)
        self._login: dict[str, str] = json.loads(credentials.read_text())
        self._refusals = refusals
        self._waiting: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._listens = threading.Event()

    async def listen(self) -> None:
        """From now on; returns when the broker knows."""
        threading.Thread(target=self._follow, name="qos0", daemon=True).start()
        await asyncio.to_thread(self._listens.wait, 5)

    def stop(self) -> None:
        self._stop.set()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                wire = Wire(self._url.hostname or "127.0.0.1", self._url.port or 4222, self._login, "best-effort")
                with contextlib.closing(wire):
                    self._read(wire)
            except (OSError, ValueError, IndexError) as problem:
                log.warning("QoS 0 is not heard for a moment: %s", problem)
                self._stop.wait(REOPEN_SECONDS)

    def _read(self, wire: Wire) -> None:
        wanted = "".join(f"SUB devices.*.{kind} door {n}\r\n" for n, kind in enumerate(KINDS, 1))
        wire.send(wanted.encode() + b"PING\r\n")
        wire.rest += wire.receive(3.0)  # at least its PONG: now the broker knows
        self._listens.set()
        while not self._stop.is_set():
            found = list(published(wire))
            if found:
                self._loop.call_soon_threadsafe(self._take, found)
            with contextlib.suppress(TimeoutError):
                wire.rest += wire.receive(1.0)
            time.sleep(GATHER_SECONDS)

    def _take(self, found: list[Published]) -> None:
        for subject, payload in found:
            if len(self._waiting) >= MOST_WAITING:
                self._refusals.add("QOS0_LOST", subject.split(".")[1])
                continue
            task = asyncio.create_task(self._store(subject, payload))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def _store(self, subject: str, payload: bytes) -> None:
        try:
            await self._js.publish(f"$MQTT.msgs.{subject}", payload)
        except (NatsError, TimeoutError, OSError):
            self._refusals.add("QOS0_LOST", subject.split(".")[1])


def published(wire: Wire) -> Iterator[Published]:
    """What was published with QoS 0 among the whole messages that the wire has read; the rest stays with the wire."""
    data, at = wire.rest, 0
    while (end := data.find(b"\r\n", at)) >= 0:
        words = data[at:end].split(b" ")
        if words[0] not in (b"MSG", b"HMSG"):
            wire.hear(words, data[at:end])
            at = end + 2
            continue
        # HMSG subject sid [reply] size-of-headers size
        stop = end + 2 + int(words[-1]) + 2
        if stop > len(data):
            break
        if words[0] == b"HMSG":
            head = end + 2 + int(words[-2])
            if data.find(QOS_0, end + 2, head) >= 0:
                yield words[1].decode(), data[head : stop - 2]
        at = stop
    wire.rest = data[at:]
