"""Months of the audit: made ahead, kept as long as the law asks, let go whole and sealed.

make_months(process, at)                 this month and the next two, and what the default partition took meanwhile
kept(at) -> InForce                      how many months are kept at least, and by which law
retire(month, reason, at)                the oldest month goes; the hash of its last records stays, signed

A month is that of `recorded_at` in UTC, named 2026-12.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

from zhiwan.city.packs_loaded import packs, region
from zhiwan.city.people import audit, chaining, guard
from zhiwan.city.people.acting import Process, acting_system
from zhiwan.city.people.auditing import reading
from zhiwan.city.people.auditing.signing import sign_seal
from zhiwan.city.people.models import AuditRun
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.heads import Run, joined, runs_as_json
from zhiwan.kernel.packs.models import InForce

KEPT = "security.audit.audit_kept_months"
LEAST = 6  # months; the database refuses less, whatever the parameter says
AHEAD = 2
CHECKED_WITHIN = timedelta(days=2)
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
# Runs of numbers without a hole, each with the hash before it and its last.
_RUNS = """
WITH numbered AS (
    SELECT chain, seq, previous, hash, seq - row_number() OVER (PARTITION BY chain ORDER BY seq) AS island
    FROM people_auditrecord WHERE recorded_at >= %s AND recorded_at < %s)
SELECT chain, min(seq), max(seq), (array_agg(previous ORDER BY seq))[1], (array_agg(hash ORDER BY seq DESC))[1]
FROM numbered GROUP BY chain, island ORDER BY 1, 2
"""


class MonthKept(InputRefused):
    """A month of the audit that may not be let go."""

    code = "AUDIT-005"
    fact = "the audit of {month} is kept: {problem}"
    detail = "Records are kept for {months} months ({source}); they go by whole months, the oldest first."
    hint = "Ask again when it is due."


class NotChecked(InputRefused):
    """Nothing is let go that was not found whole shortly before."""

    code = "AUDIT-006"
    fact = "the audit was not found whole in the last {days} days"
    detail = "What is let go can never be checked again."
    hint = "Check the chains now; when nothing is found, ask again."


@dataclass(frozen=True)
class Month:
    """One partition."""

    name: str
    begins: datetime
    ends: datetime
    due: datetime  # from when on it may go
    rows: int  # about
    size: int
    oldest: bool


def kept(at: datetime) -> InForce:
    """How many months records are kept at least; raises where no loaded pack says so, and then nothing goes."""
    return packs().parameters.at(KEPT, at, region())


def months_kept(at: datetime) -> int:
    return max(LEAST, int(kept(at).value or LEAST))


def make_months(*, process: Process, at: datetime) -> list[str]:
    """Partitions for this month and those ahead; which were made. Each in a transaction of its own."""
    wanted = [_later(at, months) for months in range(AHEAD + 1)]
    with acting_system(process), connection.cursor() as cursor:
        guard.require("audit.keep")
        cursor.execute("SELECT DISTINCT date_trunc('month', recorded_at AT TIME ZONE 'UTC')::date FROM"
                       " people_auditrecord WHERE tableoid = 'people_auditrecord_rest'::regclass")  # fmt: skip
        wanted += [day for (day,) in cursor.fetchall()]
    made = []
    for day in sorted(set(wanted)):
        with acting_system(process), connection.cursor() as cursor:
            cursor.execute("SELECT people_audit_make_month(%s)", [day])
            if cursor.fetchone() == (True,):
                made.append(f"{day:%Y-%m}")
    return made


def months(at: datetime) -> list[Month]:
    """All partitions that have begun, the oldest first."""
    least = months_kept(at)
    found: list[Month] = []
    for name, rows, size in reading.months():
        begins = _begin(name)
        if begins <= at:
            ends = _at(_later(begins, 1))
            found.append(Month(name, begins, ends, _at(_later(ends, least)), rows, size, oldest=not found))
    return found


@transaction.atomic
def retire(*, month: str, reason: str, at: datetime) -> int:
    """Let a month go; how many records. Raises MonthKept, NotChecked, HeadsNotWritable.

    The seal is signed into the file before the rows go: if this fails afterwards, it speaks of rows that are there.
    """
    guard.require("audit.retire")
    require_due(month, at)
    require_checked(at)
    begins = _begin(month)
    going = _runs(begins, _at(_later(begins, 1)))
    before = reading.sealed_by_record()
    all_runs = {
        chain: joined([*before.get(chain, []), *going.get(chain, [])]) for chain in sorted({*before, *going})
    }  # fmt: skip
    count = sum(run.count for runs in going.values() for run in runs)
    sign_seal(month, all_runs, at=at)
    audit.record(
        reading.RETIRED, f"audit-month:{month}", at=at, purpose=reason,
        after={"records": count, "months_kept": months_kept(at), "runs": runs_as_json(all_runs)},
    )  # fmt: skip
    chaining.flush()  # now: the database lets nothing go that is not sealed
    with connection.cursor() as cursor:
        cursor.execute("SELECT people_audit_drop_month(%s, %s)", [begins.date(), months_kept(at)])
    return count


def require_due(month: str, at: datetime) -> None:
    found = {one.name: one for one in months(at)} if _MONTH.fullmatch(month) else {}
    one = found.get(month)
    if one is None:
        problem = "there is no such month"
    elif not one.oldest:
        problem = "there is an older one"
    elif at < one.due:
        problem = f"it may go from {one.due.date()} on"
    else:
        return
    raise MonthKept(month=month[:20], problem=problem, months=months_kept(at), source=kept(at).source)


def require_checked(at: datetime) -> None:
    last = AuditRun.objects.filter(kind="verify", state="done").order_by("-ended_at").first()
    if last is None or last.ended_at is None or last.ended_at < at - CHECKED_WITHIN or not (last.report or {})["whole"]:
        raise NotChecked(days=CHECKED_WITHIN.days)


def _runs(begins: datetime, ends: datetime) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, [begins, ends])
        for chain, first, last, previous, hash in cursor.fetchall():
            found.setdefault(chain, []).append(Run(chain, first, last, bytes(previous), bytes(hash)))
    return found


def _begin(month: str) -> datetime:
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)


def _later(at: datetime, months: int) -> date:
    """The first day of the month so many months later."""
    at = at.astimezone(UTC)
    count = at.year * 12 + at.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
