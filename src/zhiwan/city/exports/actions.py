"""Writes of personal exports.

ask(type, fields, purpose, reason, area="") -> PersonalExport
decide(id, approve, note="")                  by another account than who asked
withdraw(id)                                  by who asked
fetch(id) -> Taken                            once, by who asked, within a day; every row carries the reader's mark

The guard is asked for every field when it is asked and again when it is fetched: a purpose may have ended meanwhile.
Rows are those that the acting post reaches: row security sees to it both times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from zhiwan.city.exports import errors
from zhiwan.city.exports.models import PersonalExport, State
from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import Actor, current_actor
from zhiwan.city.people.models import Post, User
from zhiwan.city.registry.models import Entity
from zhiwan.kernel.guard.purposes import PERSONAL

DECIDED_WITHIN, FETCHED_WITHIN = timedelta(days=7), timedelta(hours=24)
MOST_ROWS, MOST_OPEN, REASON = 20_000, 10, 200


@dataclass(frozen=True)
class Taken:
    """What leaves: (id, name, area, values in the order of `fields`) of each thing, and the mark of every row."""

    request: PersonalExport
    fields: list[str]
    rows: list[tuple[str, str, str, list[Any]]]
    mark: str


@transaction.atomic
def ask(
    *, type: str, fields: Sequence[str], purpose: str, reason: str, area: str = "", at: datetime | None = None
) -> PersonalExport:
    """A request; nothing leaves yet."""
    now = at or timezone.now()
    wanted = sorted(set(fields) & set(personal_fields_of(type)))
    if not wanted or len(wanted) != len(set(fields)):
        raise errors.NothingToTake()
    _require(type, wanted, area, purpose, reason)
    person, post = _person(current_actor())
    undecided = PersonalExport.objects.filter(asked_by=person, state=State.ASKED, until__gt=now).count()
    if undecided >= MOST_OPEN:
        raise errors.AskedTooOften(count=undecided)
    rows = things(type, wanted, area).count()
    if rows == 0:
        raise errors.NothingToTake()
    if rows > MOST_ROWS:
        raise errors.TooMuch(rows=rows, most=MOST_ROWS)
    made = PersonalExport.objects.create(
        type=type,
        area=area,
        fields=wanted,
        purpose=purpose,
        reason=reason.strip()[:REASON],
        rows=rows,
        asked_by=person,
        asked_post=post,
        asked_at=now,
        until=now + DECIDED_WITHIN,
    )
    after = {"type": type, "area": area, "fields": wanted, "purpose": purpose, "rows": rows}
    audit.record("personal.ask", f"export:{made.pk}", at=now, after=after, purpose=made.reason)
    return made


@transaction.atomic
def decide(*, id: int, approve: bool, note: str = "", at: datetime | None = None) -> PersonalExport:
    """Another person lets it go, or sends it back and says why."""
    now = at or timezone.now()
    person, post = _person(guard.require("personal.decide"))
    one = _locked(id, State.ASKED, "decide", now)
    if one.asked_by_id == person.pk:
        raise errors.SecondPersonNeeded(person=str(person))
    one.state = State.APPROVED if approve else State.REJECTED
    one.decided_by, one.decided_post, one.decided_at = person, post, now
    one.decision = note.strip()[:REASON]
    if approve:
        one.until = now + FETCHED_WITHIN
    one.save()
    after = {"state": one.state, "rows": one.rows, "asked_by": one.asked_by.username}
    audit.record("personal.decide", f"export:{id}", at=now, after=after, purpose=one.decision)
    return one


@transaction.atomic
def withdraw(*, id: int, at: datetime | None = None) -> None:
    """Who asked does not want it any longer."""
    now = at or timezone.now()
    guard.require_open("personal.export")
    person, _post = _person(current_actor())
    one = _locked(id, State.ASKED, "withdraw", now, of=person)
    one.state = State.WITHDRAWN
    one.save()
    audit.record("personal.withdraw", f"export:{id}", at=now)


@transaction.atomic
def fetch(*, id: int, at: datetime | None = None) -> Taken:
    """What leaves. The audit says how many rows, not which values."""
    now = at or timezone.now()
    guard.require_open("personal.export")
    person, post = _person(current_actor())
    one = _locked(id, State.APPROVED, "fetch", now, of=person)
    _require(one.type, one.fields, one.area, one.purpose, one.reason)
    found = things(one.type, one.fields, one.area).order_by("id")
    rows = [(row.id, row.name, row.area, [row.fields.get(field) for field in one.fields]) for row in found]
    one.state, one.fetched_at, one.rows = State.FETCHED, now, len(rows)
    one.save()
    after = {"rows": len(rows), "fields": one.fields, "purpose": one.purpose}
    audit.record("personal.export", f"export:{id}", at=now, after=after, purpose=one.reason)
    mark = f"{person.username} · {post.title_zh} · {timezone.localtime(now):%Y-%m-%d %H:%M:%S} · #{id}"
    return Taken(one, list(one.fields), rows, mark)


def personal_fields_of(type: str) -> list[str]:
    """The fields of a type that are a person's."""
    kind = packs().types.get(type)
    return [id for id, one in kind.fields.items() if one.grade >= PERSONAL] if kind is not None else []


def things(type: str, fields: Sequence[str], area: str) -> QuerySet[Entity]:
    """Those in reach that have any of the fields."""
    found = Entity.objects.filter(type=type).filter(Q(fields__has_any_keys=list(fields)))
    return found.filter(area__startswith=area) if area else found


def _require(type: str, fields: Sequence[str], area: str, purpose: str, reason: str) -> None:
    """Raises why one of the fields may not leave."""
    kind = packs().types[type]
    for field in fields:
        guard.require(
            "personal.export",
            town=area[:9] if len(area) >= 9 else "",
            grade=kind.fields[field].grade,
            reason=reason,
            field=f"{type}.{field}",
            under=purpose,
        )


def _person(actor: Actor | None) -> tuple[User, Post]:
    if actor is None or actor.user is None or actor.post is None:
        raise errors.PersonNeeded()
    return actor.user, actor.post


def _locked(id: int, state: State, step: str, now: datetime, of: User | None = None) -> PersonalExport:
    """The request, if it is in that state and not too old; `of` whom it must be."""
    one = PersonalExport.objects.select_for_update(of=("self",)).select_related("asked_by").filter(pk=id).first()
    if one is None or (of is not None and one.asked_by_id != of.pk):
        raise errors.ExportUnknown(id=id)
    if one.state != state or one.until <= now:
        raise errors.StepRefused(id=id, step=step, state=one.state if one.until > now else "too old")
    return one
