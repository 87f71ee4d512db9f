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


class TicketRefused(InputRefused):
    """A ticket that is not ours, or too old."""

    code = "LIVE-001"
    fact = "this ticket opens no stream"
    detail = "It was not signed here, or is older than a minute."
    hint = "Load the page again; it fetches a new ticket by itself."


@dataclass(frozen=True)
class Ticket:
    """Whose stream it is, and which rows may flow in it. `towns` None: the whole district; `session` ends with it."""

    user: str
    towns: frozenset[str] | None
    space: str = "live"
    session: str = ""

    def admits(self, town: str, space: str) -> bool:
        """Whether a change in this town may be told. What has no town belongs to the district."""
        if space != self.space:
            return False
        return self.towns is None or town in self.towns


def issue(key: str, ticket: Ticket) -> str:
    """The ticket as text for a URL."""
    towns = None if ticket.towns is None else sorted(ticket.towns)
    text = URLSafeTimedSerializer(key, salt=_SALT).dumps(
        {"u": ticket.user, "t": towns, "s": ticket.space, "k": ticket.session}
    )
    return text if isinstance(text, str) else text.decode()


def read(key: str, text: str) -> Ticket:
    """The ticket of a text. Raises TicketRefused."""
    try:
        body = URLSafeTimedSerializer(key, salt=_SALT).loads(text, max_age=LIFETIME)
        towns = body["t"]
        return Ticket(str(body["u"]), None if towns is None else frozenset(towns), str(body["s"]), str(body["k"]))
    except (BadData, KeyError, TypeError) as problem:
        raise TicketRefused() from problem
