"""Finding records: filters, pages by key, no count over all.

search(filters, before=None, after=None, size=50) -> Found      newest first; `before` and `after` are the page's edges
actions() -> list[str]      spaces() -> list[str]               which there are, by hops over an index
neighbours(chain, seq) -> list[Link]                            a record as the chain has it, with what it follows

A page of a million rows costs as much as one of a hundred: each filter has an index that ends with the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from zhiwan.city.people.auditing import reading
from zhiwan.city.people.models import AuditChain, AuditRecord, User
from zhiwan.kernel.guard.chain import Link, instant

MOST_ACCOUNTS = 200
# Jumps from one value to the next by the index, a step each, instead of reading every row.
_HOPS = """
WITH RECURSIVE hop (value) AS (
    (SELECT {column} FROM people_auditrecord WHERE {column} > '' {only} ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM people_auditrecord WHERE {column} > hop.value {only} ORDER BY {column} LIMIT 1)
    FROM hop WHERE hop.value IS NOT NULL)
SELECT value FROM hop WHERE value IS NOT NULL
"""


@dataclass(frozen=True)
class Filters:
    """What is looked for; empty is anything. `subject` ending with `:` or `*` is the beginning of one."""

    who: str = ""
    post: str = ""
    action: str = ""
    subject: str = ""
    space: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def told(self) -> dict[str, str]:
        """Those that are set, for the record of an export."""
        found = {name: getattr(self, name) for name in ("who", "post", "action", "subject", "space")}
        times = {name: at.isoformat() for name in ("since", "until") if (at := getattr(self, name))}
        return {name: value for name, value in found.items() if value} | times


@dataclass(frozen=True)
class Edge:
    """A record's place in the order of the list."""

    recorded_at: datetime
    chain: str
    seq: int

    def __str__(self) -> str:
        return f"{instant(self.recorded_at)}~{self.chain}~{self.seq}"

    @staticmethod
    def read(text: str) -> Edge | None:
        """None where it is none: an address that someone changed begins at the newest."""
        try:
            at, chain, seq = text.split("~")
            found = datetime.fromisoformat(at)
            return Edge(found, chain, int(seq)) if found.tzinfo else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Found:
    """A page. `older` and `newer` are the edges from which the next pages go on; None: there is nothing there."""

    rows: list[AuditRecord]
    older: Edge | None
    newer: Edge | None


def search(filters: Filters, *, before: Edge | None = None, after: Edge | None = None, size: int = 50) -> Found:
    """Newest first. `before`: older than this one; `after`: the page of newer ones that ends next to it."""
    found = _filtered(filters)
    if after is not None:
        rows = list(_beyond(found, after, newer=True)[: size + 1])
        more, rows = len(rows) > size, rows[:size][::-1]
        return Found(rows, _edge(rows, -1), _edge(rows, 0) if more else None)
    rows = list((_beyond(found, before) if before is not None else found.order_by(*_NEWEST))[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Found(rows, _edge(rows, -1) if more else None, _edge(rows, 0) if before is not None else None)


def every(filters: Filters, most: int) -> Iterator[AuditRecord]:
    """All that are found, newest first, at most so many."""
    yield from _filtered(filters).order_by(*_NEWEST)[:most].iterator(chunk_size=2000)


_NEWEST = ("-recorded_at", "-chain", "-seq")
_OLDEST = ("recorded_at", "chain", "seq")


def _filtered(filters: Filters) -> QuerySet[AuditRecord]:
    found = AuditRecord.objects.all()
    if filters.who:
        found = found.filter(account__in=_accounts(filters.who))
    for name in ("post", "action", "space"):
        if value := getattr(filters, name):
            found = found.filter(**{name: value})
    if filters.subject.endswith((":", "*")):
        found = found.filter(subject__startswith=filters.subject.removesuffix("*"))
    elif filters.subject:
        found = found.filter(subject=filters.subject)
    if filters.since:
        found = found.filter(recorded_at__gte=filters.since)
    if filters.until:
        found = found.filter(recorded_at__lt=filters.until)
    return found


def _accounts(text: str) -> list[str]:
    """The accounts whose name holds the text, and the text itself: a process, or an account that is gone."""
    named = User.objects.filter(Q(username__icontains=text) | Q(display_name__icontains=text))
    return [text, *named.values_list("username", flat=True)[:MOST_ACCOUNTS]]


def _beyond(found: QuerySet[AuditRecord], edge: Edge, *, newer: bool = False) -> QuerySet[AuditRecord]:
    """Older than the edge (or newer, nearest first). The first condition is the index's, the second settles ties."""
    sign = "gt" if newer else "lt"
    here = {f"recorded_at__{sign}e": edge.recorded_at}
    tie: dict[str, Any] = {"chain": edge.chain, f"seq__{sign}": edge.seq}
    apart = Q(**{f"recorded_at__{sign}": edge.recorded_at}) | Q(**{f"chain__{sign}": edge.chain}) | Q(**tie)
    return found.filter(apart, **here).order_by(*(_OLDEST if newer else _NEWEST))


def _edge(rows: list[AuditRecord], at: int) -> Edge | None:
    return Edge(rows[at].recorded_at, rows[at].chain, rows[at].seq) if rows else None


def actions() -> list[str]:
    """Every action that was ever recorded."""
    return _hops("action", "")


def spaces() -> list[str]:
    """Every space but the live one in which something was recorded, also those that are dropped."""
    return _hops("space", "AND space <> 'live'")


def _hops(column: str, only: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_HOPS.format(column=column, only=only))
        return [value for (value,) in cursor.fetchall()]


def neighbours(chain: str, seq: int) -> list[Link]:
    """The record before it and itself, as the chain has them; empty where there is no such record."""
    found = [one for one in reading.batch((chain, max(0, seq - 2)), 2) if one.entry.chain == chain]
    return found if found and found[-1].entry.seq == seq else [one for one in found if one.entry.seq == seq]


def signed_seq(chain: str) -> int:
    """How far the chain stands in the file of signed heads."""
    return AuditChain.objects.filter(chain=chain).values_list("signed_seq", flat=True).first() or 0
