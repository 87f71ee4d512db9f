"""The bus on NATS JetStream: blocking calls for our plain threads, one asyncio connection in a thread of its own.

Order is the promise that costs care here. The server delivers unacknowledged messages again *behind* newer ones, which
a cursor would take for known; so the reader watches the consumer's own numbering, and after any gap, reconnect or
restart it sets the consumer back to what was acknowledged (`CONSUMER.RESET`, nats-server ≥ 2.14). Pulling itself is the
hot way and has a line of its own: lean_reader.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import threading
from bisect import bisect_right
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError

from zhiwan.kernel.bus.lean_reader import Delivery, Line
from zhiwan.kernel.bus.messages import (
    LIVE_CHANGES,
    READER,
    READER_FORGOTTEN,
    STREAMS,
    BusFull,
    BusUnavailable,
    Message,
    MessageTooLarge,
    StreamSpec,
    matches,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

ANSWER_SECONDS = 5.0
#: For whoever only wants to know how things stand: a bus that is slower than that is not well.
GLANCE_SECONDS = 2.0
#: Redelivery by time would break the order; the reader resets the consumer instead.
NEVER_AGAIN_SECONDS = 24 * 3600.0
FULL_ERRORS = {10077, 10076, 10047}  # maximum bytes, maximum messages, insufficient storage
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NatsBus:
    """Connects at once and reconnects for ever. `credentials`: a JSON file with user and password."""

    def __init__(self, url: str, credentials: Path | None = None, *, name: str = "zhiwan") -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"bus-{name}", daemon=True)
        self._thread.start()
        self._name = name
        self._login: dict[str, str] = json.loads(credentials.read_text()) if credentials else {}
        try:
            self._client: Client = self._call(
                nats.connect(
                    url,
                    user=self._login.get("user"),
                    password=self._login.get("password"),
                    name=name,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25,
                    connect_timeout=3,
                    error_cb=_note,
                    allow_reconnect=True,
                ),
                seconds=10,
            )
        except BusUnavailable:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise
        self._js: JetStreamContext = self._client.jetstream(timeout=ANSWER_SECONDS)

    def publish(self, subject: str, payload: bytes) -> int:
        try:
            return self._call(self._js.publish(subject, payload)).seq
        except _Full:
            kept = (spec.name for spec in STREAMS if any(matches(pattern, subject) for pattern in spec.subjects))
            raise BusFull(stream=next(kept, subject)) from None
        except MaxPayloadError:
            raise MessageTooLarge(size=len(payload), limit=self._client.max_payload) from None

    def announce(self, payload: bytes) -> None:
        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(self._hint(payload)))

    async def _hint(self, payload: bytes) -> None:
        try:
            await self._client.publish(LIVE_CHANGES, payload)
        except (NatsError, OSError) as problem:
            log.debug("no hint sent: %s", problem)

    def ping(self) -> None:
        self._call(self._client.flush(timeout=2), seconds=3)

    def fullness(self) -> dict[str, float]:
        async def ask() -> dict[str, float]:
            found = {}
            for spec in STREAMS:
                info = await self._js.stream_info(spec.name)
                limit = info.config.max_bytes or 0
                found[spec.name] = info.state.bytes / limit if limit > 0 else 0.0
            return found

        return self._call(ask(), seconds=GLANCE_SECONDS)

    def open_reader(self, stream: str, name: str = READER) -> NatsReader:
        spec = next(spec for spec in STREAMS if spec.name == stream)
        if name == READER:
            self._call(self._mend(spec))
        reader = NatsReader(self, dataclasses.replace(spec, reader=name))
        reader.rewind()
        return reader

    def open_line(self) -> Line:
        """A line of its own to the server we are connected to, for one reader's pulls (see lean_reader.py)."""
        server = self._client.connected_url
        if server is None or server.hostname is None:
            raise BusUnavailable(problem="the connection is down")
        return Line(server.hostname, server.port or 4222, self._login, self._name)

    def add_reader(self, stream: str, name: str, subjects: Sequence[str]) -> None:
        wanted = ConsumerConfig(
            durable_name=name,
            filter_subjects=list(subjects),
            ack_policy=AckPolicy.ALL,
            ack_wait=NEVER_AGAIN_SECONDS,
            deliver_policy=DeliverPolicy.NEW,
            max_ack_pending=-1,
            max_waiting=16,
            inactive_threshold=READER_FORGOTTEN,
        )
        self._call(self._js.add_consumer(stream, wanted))

    def last_stored(self, stream: str) -> int:
        return int(self._call(self._js.stream_info(stream)).state.last_seq)

    def has_read(self, stream: str, upto: int, name: str = READER) -> bool:
        info = self._call(self._js.consumer_info(stream, name))
        floor = int(info.ack_floor.stream_seq or 0) if info.ack_floor else 0
        # Messages that are none of its subjects move no floor: then nothing waits for it.
        return floor >= upto or not ((info.num_pending or 0) + (info.num_ack_pending or 0))

    def drop_reader(self, stream: str, name: str) -> None:
        self._call(self._drop(stream, name))

    async def _drop(self, stream: str, name: str) -> None:
        with contextlib.suppress(NotFoundError):
            await self._js.delete_consumer(stream, name)

    def close(self) -> None:
        try:
            self._call(self._client.close(), seconds=2)
        except BusUnavailable:
            log.debug("the bus was gone before we left")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2)

    def ensure_streams(self, specs: Iterable[StreamSpec] = STREAMS) -> None:
        """Make streams and their readers, or bring them to our settings. Before any door opens: see module messages."""
        for spec in specs:
            self._call(self._ensure(spec))

    async def _ensure(self, spec: StreamSpec) -> None:
        wanted = StreamConfig(
            name=spec.name,
            subjects=list(spec.subjects),
            # Interest: what the reader has acknowledged is dropped. The reader must exist before the first message.
            retention=RetentionPolicy.INTEREST,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=spec.max_bytes,
        )
        reader = ConsumerConfig(
            durable_name=spec.reader,
            filter_subject=spec.filter,
            ack_policy=AckPolicy.ALL,
            ack_wait=NEVER_AGAIN_SECONDS,
            deliver_policy=DeliverPolicy.ALL,
            max_ack_pending=-1,
            max_waiting=16,
        )
        try:
            found = (await self._js.stream_info(spec.name)).config
        except NotFoundError:
            # Kept by interest, a message that comes before the reader exists would be answered and dropped. So a new
            # stream takes nothing (no message has room in one byte) until its reader is there.
            found = (await self._js.add_stream(dataclasses.replace(wanted, max_bytes=1))).config
        await self._js.add_consumer(spec.name, reader)
        if (found.max_bytes, found.discard) != (wanted.max_bytes, wanted.discard):
            await self._js.update_stream(wanted)

    async def _mend(self, spec: StreamSpec) -> None:
        """A stream or reader that somebody deleted is made anew; what it held is gone, what comes is kept."""
        try:
            await self._js.consumer_info(spec.name, spec.reader)
        except NotFoundError:
            log.error("%s or its reader is gone: making it anew", spec.name)
            await self._ensure(spec)

    def _call(self, work: Coroutine[Any, Any, T], seconds: float = ANSWER_SECONDS + 1) -> T:
        """Run on the connection's loop; every failure of the bus becomes one of our errors."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except APIError as problem:
            if problem.err_code in FULL_ERRORS:
                raise _Full from problem
            raise BusUnavailable(problem=str(problem)) from problem
        except MaxPayloadError:
            raise
        except (NatsError, OSError, TimeoutError) as problem:
            future.cancel()
            raise BusUnavailable(problem=str(problem) or type(problem).__name__) from problem


class _Full(Exception):
    """Becomes BusFull where the stream's name is known."""


class NatsReader:
    """The durable consumer of one stream, kept in order (see the module's text)."""

    def __init__(self, bus: NatsBus, spec: StreamSpec) -> None:
        self._bus = bus
        self._spec = spec
        self.stream = spec.name
        self.created: datetime = bus._call(bus._js.stream_info(spec.name)).created or EPOCH
        self._line: Line | None = None
        self._delivered = 0  # the consumer's own number of the last message we were given
        self._seqs: list[int] = []  # pulled and not acknowledged, with the address to acknowledge at
        self._replies: list[str] = []
        self._torn = False

    def pull(self, most: int, wait: float) -> list[Message]:
        if self._torn:
            self.rewind()
        found: list[Message] = []
        for subject, reply, payload in self._fetch(most, wait):
            # $JS.ACK.<stream>.<consumer>.<times>.<stream seq>.<consumer seq>.<ns>.<pending>, newer ones longer in front
            words = reply.split(".")
            offset = 0 if len(words) == 9 else 2
            seq, own, stored = int(words[offset + 5]), int(words[offset + 6]), int(words[offset + 7])
            if own != self._delivered + 1:
                # Something was lost on the way to us. What came before the gap is whole; the rest comes again.
                log.warning("%s: gap after %d, setting the reader back", self.stream, self._delivered)
                self._torn = True
                break
            self._delivered = own
            self._seqs.append(seq)
            self._replies.append(reply)
            at = EPOCH + timedelta(microseconds=stored // 1000)
            found.append(Message(self.stream, seq, subject, payload, at))
        return found

    def _fetch(self, most: int, wait: float) -> list[Delivery]:
        if self._line is None:
            self._line = self._bus.open_line()
        try:
            found, whole = self._line.fetch(self.stream, self._spec.reader, most, wait)
        except BusUnavailable:
            self._line, self._torn = None, True
            raise
        # No word from the server, not even that nothing came: what it sent meanwhile may be lost.
        self._torn = not whole
        return found

    def ack(self, upto: int) -> None:
        place = bisect_right(self._seqs, upto)
        if place == 0:
            return
        reply = self._replies[place - 1]
        self._bus._call(self._bus._client.request(reply, b"+ACK", timeout=ANSWER_SECONDS))
        del self._seqs[:place], self._replies[:place]

    def rewind(self) -> None:
        answer = self._bus._call(
            self._bus._client.request(
                f"$JS.API.CONSUMER.RESET.{self.stream}.{self._spec.reader}", b"", timeout=ANSWER_SECONDS
            )
        )
        body = json.loads(answer.data)
        if "error" in body:
            raise BusUnavailable(problem=f"{self.stream}: {body['error'].get('description')}")
        self._delivered = int(body["delivered"]["consumer_seq"])
        self._seqs, self._replies = [], []
        self._torn = False

    def waiting(self) -> int:
        info = self._bus._call(self._bus._js.consumer_info(self.stream, self._spec.reader))
        return int(info.num_pending or 0) + int(info.num_ack_pending or 0)


async def _note(problem: Exception) -> None:
    log.warning("bus: %s", problem)
