"""Tickets of the live stream: who may listen to what, signed, for a minute.

The web process issues one per page; the `live` process reads it without a database. No Django in here, so that `live`
stays a small process.

issue(key, ticket) -> str        read(key, text) -> Ticket (raises TicketRefused)
"""

from __future__ import annotations

from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

from zhiwan.kernel.facts.errors import InputRefused

_SALT = "zhiwan.live"
LIFETIME = 60  # seconds in which a stream must be opened
LONGEST = 300  # seconds after which an open one has to show a fresh ticket, so that a lost right ends too

SIGNED_OUT = "signed_out"  # kind of the hint {kind, sessions: [id]} that ends streams at once


#: What a hint may speak of (watch/hints.py).
KINDS = frozenset({"value", "alarm", "indicator", "warning", "case", "response", "task", "set_aside", "amendment"})


class TicketRefused(InputRefused):
    """A ticket that is not ours, or too old."""

    code = "LIVE-001"
    fact = "this ticket opens no stream"
    detail = "It was not signed here, or is older than a minute."
    hint = "Load the page again; it fetches a new ticket by itself."


@dataclass(frozen=True)
class Ticket:
    """Whose stream it is, and what may flow in it. `towns` None: the whole district; `session` ends with it."""

    user: str
    towns: frozenset[str] | None
    space: str = "live"
    session: str = ""
    #: Kinds of hints that the role may read.
    kinds: frozenset[str] = KINDS
    #: For a post narrowed by zone, line or own: the things whose values it may hear. Of all else it hears that
    #: something changed, and fetches what it may see. None: towns say it all.
    things: frozenset[str] | None = None

    def admits(self, town: str, space: str) -> bool:
        """Whether a change in this town may be told. What has no town belongs to the district."""
        if space != self.space:
            return False
        return self.towns is None or town in self.towns


def issue(key: str, ticket: Ticket) -> str:
    """The ticket as text for a URL."""
    towns = None if ticket.towns is None else sorted(ticket.towns)
    things = None if ticket.things is None else sorted(ticket.things)
    body = {
        "u": ticket.user,
        "t": towns,
        "s": ticket.space,
        "i": ticket.session,
        "k": sorted(ticket.kinds),
        "e": things,
    }
    text = URLSafeTimedSerializer(key, salt=_SALT).dumps(body)
    return text if isinstance(text, str) else text.decode()


def read(key: str, text: str) -> Ticket:
    """The ticket of a text. Raises TicketRefused."""
    try:
        body = URLSafeTimedSerializer(key, salt=_SALT).loads(text, max_age=LIFETIME)
        towns, things = (None if body[part] is None else frozenset(body[part]) for part in ("t", "e"))
        return Ticket(str(body["u"]), towns, str(body["s"]), str(body["i"]), frozenset(body["k"]), things)
    except (BadData, KeyError, TypeError) as problem:
        raise TicketRefused() from problem
