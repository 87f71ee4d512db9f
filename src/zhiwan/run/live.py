"""The live stream: tells every open page what changed, within a second of the change (SSE over one small process).

    browser ── GET /stream?ticket=…&values=… ──▶ live ◀── core subject live.changes ── worker, web

A ticket (zhiwan.city.portal.tickets) says whose stream it is and which towns may flow in it; no database is asked.
Hints are remembered for a minute: a page says with `since` when it was made (or last heard a beat), and hears first
what was told since then. One that was away for longer, or too slow for its queue, is told to fetch anew (`reload`).
Beats let a page notice that the stream died, and say whether the bus behind it lives and which parts of the platform
are not well (/healthz, asked here once for all pages): so every open page tells it, also while the web does not answer.

Hint: {"kind": "value"|"alarm"|"case"|…, "town": …, "space": "live", …}; a message carries one hint or a list of them.
One kind is no change: `signed_out` names sessions whose streams end at once.
`values` = none (default) | all | comma-separated entity ids: which readings this page shows.
`since` = seconds since 1970 by this machine's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from zhiwan.city.portal.tickets import LONGEST, SIGNED_OUT, Ticket, TicketRefused, read
from zhiwan.kernel.bus.messages import LIVE_CHANGES
from zhiwan.run.health import ask

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
HEALTH_SECONDS, AGAIN_SECONDS = 2.0, 0.5
QUEUE_LENGTH = 64  # messages a page may lag behind before it is told to fetch anew
MOST_STREAMS = 5000
REMEMBER_SECONDS = 60.0
REMEMBER_HINTS = 20_000  # of a storm, less than a minute is remembered
MOST_ENTITIES = 200  # ids one page may ask values of
Hint = dict[str, Any]
#: Figures of the whole district that every desk may see: they carry no town and no fact about one.
FOR_ALL = frozenset({"indicator", "set_aside", "warning", "response"})
RELOAD = b"event: reload\ndata: {}\n\n"
RENEW = b"event: renew\ndata: {}\n\n"
RENEW_GRACE = 15.0  # seconds in which a page opens its next stream before this one ends


@dataclass(eq=False)
class Listener:
    """One open page. What it did not fetch in time is dropped as a whole and replaced by `reload`."""

    ticket: Ticket
    values: frozenset[str] | None  # None: all
    since: float | None = None  # its page knows what was until then
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUE_LENGTH))
    renewing: bool = False  # its page was asked to open another stream, with a fresh ticket
    ended: bool = False  # its session is over

    @property
    def sort(self) -> tuple[object, ...]:
        """Listeners of one sort receive the same bytes."""
        one = self.ticket
        return one.towns, one.space, one.kinds, one.things, self.values

    def told(self, hints: Iterable[Hint]) -> list[Hint]:
        """What of these the page hears."""
        hints = list(hints)
        mine = [hint for hint in hints if hint.get("kind") in self.ticket.kinds and self._shows(hint)]
        # A story was made or dropped: every page offers the step into it, or must leave it.
        spaces = [hint for hint in hints if hint.get("kind") == "space"]
        if self.ticket.things is None:
            return spaces + [hint for hint in mine if self._admitted(hint)]
        return spaces + self._narrow(mine, self.ticket.things)

    def _shows(self, hint: Hint) -> bool:
        return hint.get("kind") != "value" or self.values is None or hint.get("entity") in self.values

    def _admitted(self, hint: Hint) -> bool:
        town, space = str(hint.get("town") or ""), str(hint.get("space") or "live")
        for_all = not town and space == self.ticket.space and hint.get("kind") in FOR_ALL
        return for_all or self.ticket.admits(town, space)

    def _narrow(self, hints: list[Hint], things: frozenset[str]) -> list[Hint]:
        """A hint knows its town, not its zone, line or owner: such a post hears values of things that were looked up
        for its ticket, and of all else only the kind of what changed."""
        here = [hint for hint in hints if str(hint.get("space") or "live") == self.ticket.space]
        values = [hint for hint in here if hint.get("kind") == "value" and hint.get("entity") in things]
        kinds = {str(hint["kind"]) for hint in here if hint.get("kind") != "value"}
        return [*values, *({"kind": kind, "space": self.ticket.space} for kind in sorted(kinds))]

    def renew(self) -> None:
        """Ask the page for a stream with a fresh ticket; this one ends soon."""
        self.renewing = True
        self.offer(RENEW)

    def offer(self, event: bytes) -> None:
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            event = RELOAD
        self.queue.put_nowait(event)


class Hub:
    """All open pages of this process."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.client: Client | None = None
        self.told = 0
        self.unwell: tuple[str, ...] = ()
        self._recent: deque[tuple[float, list[Hint]]] = deque()
        self._remembered = 0  # hints in it
        self._knows_since = 0.0  # what was told before is forgotten
        self.forget()

    @property
    def bus_lives(self) -> bool:
        return self.client is not None and self.client.is_connected

    def tell(self, hints: Iterable[Hint]) -> None:
        """Pass hints on to everyone they concern; encoded once for each sort of listener."""
        encoded: dict[object, bytes | None] = {}
        hints = list(hints)
        self.told += len(hints)
        self._remember(hints)
        for listener in self.listeners:
            sort = listener.sort
            if sort not in encoded:
                wanted = listener.told(hints)
                encoded[sort] = _changes(wanted) if wanted else None
            if (event := encoded[sort]) is not None:
                listener.offer(event)

    def _remember(self, hints: list[Hint]) -> None:
        now = time.time()
        self._recent.append((now, hints))
        self._remembered += len(hints)
        while self._recent and (self._remembered > REMEMBER_HINTS or self._recent[0][0] < now - REMEMBER_SECONDS):
            self._knows_since, gone = self._recent.popleft()
            self._remembered -= len(gone)

    def forget(self) -> None:
        """Nothing before this moment can be told again."""
        self._recent.clear()
        self._remembered, self._knows_since = 0, time.time()

    def join(self, listener: Listener) -> None:
        """From now on it hears all; first what was told between the making of its page and now."""
        self.listeners.add(listener)
        if listener.since is None:
            return
        if listener.since < self._knows_since:
            listener.offer(RELOAD)
        missed = listener.told(hint for at, hints in self._recent if at >= listener.since for hint in hints)
        if missed:
            listener.offer(_changes(missed))

    def tell_reload(self) -> None:
        for listener in self.listeners:
            listener.offer(RELOAD)

    def tell_unwell(self, unwell: tuple[str, ...]) -> None:
        """Which parts are not well from now on; pages hear of a change at once."""
        if unwell != self.unwell:
            self.unwell = unwell
            self.tell_beat()

    def tell_beat(self) -> None:
        """Pages hear how it stands now, not at their next beat."""
        for listener in self.listeners:
            listener.offer(_beat(self))

    async def watch(self, url: str, ca: str | None) -> None:
        """Ask how the platform is until cancelled. A web that does not answer is asked twice: it may be busy."""
        while True:
            health = await asyncio.to_thread(ask, url, ca=ca)
            if not health.answered:
                await asyncio.sleep(AGAIN_SECONDS)
                health = await asyncio.to_thread(ask, url, ca=ca)
            self.tell_unwell(health.unwell)
            await asyncio.sleep(HEALTH_SECONDS)

    def end_sessions(self, ended: Iterable[str]) -> None:
        """Signed out, here or elsewhere: their streams end at once, and a fresh ticket will be refused."""
        gone = set(ended)
        for listener in [one for one in self.listeners if one.ticket.session in gone]:
            self.listeners.discard(listener)
            listener.ended = True
            listener.renew()

    async def receive(self, message: Msg) -> None:
        """A message of the bus. A broken one is our own fault: logged, and no page suffers from it."""
        try:
            body = orjson.loads(message.data)
            hints = [hint for hint in (body if isinstance(body, list) else [body]) if isinstance(hint, dict)]
            for hint in hints:
                if hint.get("kind") == SIGNED_OUT:
                    self.end_sessions(map(str, hint.get("sessions") or ()))
            self.tell(hint for hint in hints if hint.get("kind") != SIGNED_OUT)
        except ValueError as problem:
            log.warning("a hint could not be read: %s", problem)

    async def follow(self, url: str, credentials: Path | None) -> None:
        """Listen to the bus until cancelled; a bus that is not there (yet) is tried again."""
        login = json.loads(credentials.read_text()) if credentials else {}

        async def lost() -> None:
            self.tell_beat()

        async def came_back() -> None:
            # What was said meanwhile is lost, and with it who signed out: every page shows a fresh ticket.
            self.forget()
            for listener in list(self.listeners):
                listener.renew()
            self.tell_reload()
            self.tell_beat()

        async def note(problem: Exception) -> None:
            log.info("bus: %s", problem)

        while self.client is None:
            try:
                self.client = await nats.connect(
                    url,
                    user=login.get("user"),
                    password=login.get("password"),
                    name="live",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.5,
                    connect_timeout=3,
                    disconnected_cb=lost,
                    reconnected_cb=came_back,
                    error_cb=note,
                )
            except (OSError, nats.errors.Error) as problem:
                log.warning("the bus does not answer (%s); next try in 2 s", problem)
                await asyncio.sleep(2)
        await self.client.subscribe(LIVE_CHANGES, cb=self.receive)
        self.tell_reload()
        self.tell_beat()


async def events(hub: Hub, listener: Listener) -> AsyncIterator[bytes]:
    """What one page reads until it goes away, its session ends or it has shown a fresh ticket on another stream."""
    clock = asyncio.get_running_loop().time
    due, ends = clock() + LONGEST, float("inf")
    hub.join(listener)
    try:
        yield b"retry: 2000\n\n" + _beat(hub)
        while clock() < ends and not listener.ended:
            if clock() >= due and not listener.renewing:
                listener.renew()
            if listener.renewing and ends == float("inf"):
                ends = clock() + RENEW_GRACE
            try:
                yield await asyncio.wait_for(listener.queue.get(), BEAT_SECONDS)
            except TimeoutError:
                yield _beat(hub)
    finally:
        hub.listeners.discard(listener)


def _beat(hub: Hub) -> bytes:
    says = {"bus": hub.bus_lives, "unwell": hub.unwell, "now": round(time.time(), 3)}
    return b"event: beat\ndata: " + orjson.dumps(says) + b"\n\n"


def _changes(hints: list[Hint]) -> bytes:
    return b"event: changes\ndata: " + orjson.dumps(hints) + b"\n\n"


def allowed_origins(environment: dict[str, str]) -> frozenset[str]:
    """Origins of the web process: ZHIWAN_URL, its other loopback name, and the hosts it is served as behind TLS."""
    origins = {f"https://{host}" for host in environment.get("ZHIWAN_HOSTS", "").split(",") if host}
    if url := environment.get("ZHIWAN_URL", ""):
        parts = urlsplit(url)
        names = (
            {"127.0.0.1", "localhost", "[::1]"} if parts.hostname in ("127.0.0.1", "localhost") else {parts.hostname}
        )
        port = f":{parts.port}" if parts.port else ""
        origins |= {f"{parts.scheme}://{name}{port}" for name in names}
    return frozenset(origins)


def make_app(environment: dict[str, str]) -> Starlette:
    """The ASGI application. The key file and the bus come from the environment, as everywhere."""
    hub = Hub()
    key = Path(environment["ZHIWAN_SECRET_KEY_FILE"]).read_text().strip()
    origins = allowed_origins(environment)
    url = environment.get("ZHIWAN_URL")

    def cors(request: Request) -> dict[str, str]:
        origin = request.headers.get("origin", "")
        if origin not in origins:
            return {}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    async def stream(request: Request) -> Response:
        headers = {**cors(request), "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.headers.get("origin", next(iter(origins), "")) not in origins:
            return JSONResponse({"fact": "this origin may not listen", "code": "LIVE-002"}, 403)
        if len(hub.listeners) >= MOST_STREAMS:
            return JSONResponse({"fact": "too many streams", "code": "LIVE-003"}, 503, {**headers, "Retry-After": "30"})
        try:
            ticket = read(key, request.query_params.get("ticket", ""))
        except TicketRefused as problem:
            return JSONResponse(problem.as_dict(), 401, headers)
        wanted = _wanted_values(request.query_params.get("values", "none"))
        listener = Listener(ticket, wanted, _since(request.query_params.get("since", "")))
        return StreamingResponse(events(hub, listener), media_type="text/event-stream", headers=headers)

    async def healthz(request: Request) -> Response:
        state = {"bus": hub.bus_lives, "streams": len(hub.listeners), "hints": hub.told}
        return JSONResponse(state, 200 if hub.bus_lives else 503)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        credentials = environment.get("ZHIWAN_NATS_CREDENTIALS_FILE")
        follower = asyncio.create_task(
            hub.follow(environment["ZHIWAN_NATS_URL"], Path(credentials) if credentials else None)
        )
        watches = [asyncio.create_task(hub.watch(url, environment.get("ZHIWAN_CA_FILE")))] if url else []
        yield
        for task in (follower, *watches):
            task.cancel()
        if hub.client is not None:
            await hub.client.close()

    app = Starlette(routes=[Route("/stream", stream), Route("/healthz", healthz)], lifespan=lifespan)
    app.state.hub = hub
    return app


def _wanted_values(text: str) -> frozenset[str] | None:
    if text == "all":
        return None
    return frozenset() if text in ("", "none") else frozenset(text.split(",")[:MOST_ENTITIES])


def _since(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def __getattr__(name: str) -> Any:
    """`app`, made when a server asks for it: importing this module needs no environment."""
    if name == "app":
        return make_app(dict(os.environ))
    raise AttributeError(name)
