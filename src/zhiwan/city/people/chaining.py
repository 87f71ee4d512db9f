"""Puts records into their chains as the last thing of a transaction, so that writers wait for each other briefly.

    note(draft)     during an action: remembered, nothing is locked yet
    flush()         at the end of the outermost acting(): heads locked in the order of their names, hashed, appended

Between the lock and the commit lies nothing but these two statements. Different chains never wait for each other.

What waits is kept in Django's own list of what follows the commit: it forgets what a rolled back savepoint noted, and
a record that was forgotten to be chained would be called there, after the commit, and fail loudly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from zhiwan.kernel.guard.chain import Entry, Link, link, to_row


@dataclass(frozen=True)
class Draft:
    """A record without its place in the chain. `before` and `after` are plain (kernel/guard/chain.py)."""

    chain: str
    at: datetime
    user: int | None
    account: str
    actor: str
    post: str | None
    organisation: str | None
    action: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    purpose: str
    address: str | None
    space: str


class Unchained(AssertionError):
    """A transaction committed what it did without the record of it: a mistake of ours."""


@dataclass(frozen=True)
class _Waiting:
    """Stands in the list of what follows the commit until it is chained."""

    draft: Draft

    def __call__(self) -> None:
        raise Unchained(f"{self.draft.action} {self.draft.subject} was committed without its record in the audit")


def note(draft: Draft) -> None:
    """Keep a record for the end of this transaction. Whoever calls sees to `flush` before the commit."""
    transaction.on_commit(_Waiting(draft))


def flush() -> None:
    """Chain all that waits in this transaction. Raises Sm3Missing."""
    waiting = [call.draft for _, call, *_ in connection.run_on_commit if isinstance(call, _Waiting)]
    if waiting:
        append(waiting)
        connection.run_on_commit = [one for one in connection.run_on_commit if not isinstance(one[1], _Waiting)]


def append(drafts: Sequence[Draft]) -> None:
    """Lock the chains, link the records and append them; the locks last until the transaction ends."""
    rows = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT chain, seq, hash, now FROM people_audit_lock(%s)", [sorted({one.chain for one in drafts})]
        )
        heads = {chain: (seq, bytes(hash), now) for chain, seq, hash, now in cursor.fetchall()}
        for draft in drafts:
            seq, previous, now = heads[draft.chain]
            made = _linked(draft, seq + 1, previous, now)
            heads[draft.chain] = (seq + 1, made.hash, now)
            rows.append(to_row(made))
        cursor.execute("SELECT people_audit_append(%s::jsonb)", [json.dumps(rows, ensure_ascii=False)])


def _linked(draft: Draft, seq: int, previous: bytes, now: datetime) -> Link:
    return link(
        previous,
        Entry(
            chain=draft.chain, seq=seq, recorded_at=now, at=draft.at, user=draft.user, account=draft.account,
            actor=draft.actor, post=draft.post, organisation=draft.organisation, action=draft.action,
            subject=draft.subject, before=draft.before, after=draft.after, purpose=draft.purpose,
            address=draft.address, space=draft.space,
        ),
    )  # fmt: skip
