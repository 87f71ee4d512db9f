"""The audit as a check and an export read it: heads first, then every record in the order of the chains.

Heads before records: a record that comes in between lies beyond its chain's head and is no finding. In batches, each in
a transaction of its own: a reader of minutes would hold up the making of a month, and everyone behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from zhiwan.city.people.models import AuditChain, AuditRecord, AuditSigning
from zhiwan.kernel.guard.chain import Entry, Link, read_json
from zhiwan.kernel.guard.heads import Head, Run, joined, runs_from_json

BATCH = 2000
RETIRED = "audit.retire"
# A row as the hash knows it: JSON as text, so that other digits of the same number are seen.
_ROWS = """
SELECT form, chain, seq, recorded_at, at, user_id, account, actor, post, organisation, action, subject,
       before::text, after::text, purpose, address, space, previous, hash
FROM people_auditrecord WHERE (chain, seq) > (%s, %s) ORDER BY chain, seq LIMIT %s
"""
_MONTHS = """
SELECT to_char(to_date(right(c.relname, 7), 'YYYY_MM'), 'YYYY-MM'), c.oid::regclass::text, c.reltuples::bigint,
       pg_total_relation_size(c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'people_auditrecord'::regclass AND c.relname ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY 1
"""


def heads_now() -> dict[str, Head]:
    """The heads that the database names."""
    rows = AuditChain.objects.exclude(seq=0).values_list("chain", "seq", "hash")
    return {chain: Head(seq, bytes(hash)) for chain, seq, hash in rows}


def batch(after: tuple[str, int] = ("", 0), size: int = BATCH) -> list[Link]:
    """The next records after a (chain, number)."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [*after, size])
        return [_link(row) for row in cursor.fetchall()]


def links() -> Iterator[Link]:
    """All records, in this transaction."""
    after = ("", 0)
    while found := batch(after):
        yield from found
        after = found[-1].entry.chain, found[-1].entry.seq


def _link(row: tuple[Any, ...]) -> Link:
    form, chain, seq, recorded_at, at, user, account, actor, post, organisation, action, subject = row[:12]
    before, after, purpose, address, space, previous, hash = row[12:]
    entry = Entry(
        chain=chain, seq=seq, recorded_at=recorded_at, at=at, user=user, account=account, actor=actor, post=post,
        organisation=organisation, action=action, subject=subject, before=_json(before), after=_json(after),
        purpose=purpose, address=address, space=space, form=form,
    )  # fmt: skip
    return Link(entry, bytes(previous), bytes(hash))


def _json(text: str | None) -> Any:
    return None if text is None else read_json(text)


def months() -> list[tuple[str, int, int]]:
    """The months that have a partition: name, rows (as the planner estimates them), bytes."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS)
        return [(month, max(0, rows), size) for month, _table, rows, size in cursor.fetchall()]


def month_names() -> set[str]:
    return {month for month, _rows, _size in months()}


def sealed_by_record() -> dict[str, list[Run]]:
    """What the audit itself says was let go. Without a signature: good for following a chain, not for believing it."""
    found: dict[str, list[Run]] = {}
    for after in AuditRecord.objects.filter(action=RETIRED).values_list("after", flat=True):
        for chain, runs in runs_from_json((after or {}).get("runs", {})).items():
            found.setdefault(chain, []).extend(runs)
    return {chain: joined(sorted(runs, key=lambda run: (run.first, -run.last))) for chain, runs in found.items()}


def signed_line() -> int:
    """The number of the last line of signed heads that the database knows of."""
    return AuditSigning.objects.values_list("line", flat=True).first() or 0
