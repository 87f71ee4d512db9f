"""What is signed in: how a session begins, is seen, is listed and ends, for its owner and for administrators.

enter(request, user, how, second_at)          the browser is signed in
of(user, at) -> [Session]                     the devices of an account, newest first
end(session=…, user=…) · end_all(user, why, spare=…)      by the account itself
revoke(user, session=…)                       by the security administrator
seen(row, at)                                 a person's act; called once in a while, not for every request
confirm_second(request, at) · second_is_fresh(request, at)
A session that ends cuts the live streams of its pages (portal/tickets.py carries its public id).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson
from django.contrib.auth import login, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import demands, limits, own
from zhiwan.city.people.ways_in.errors import NotYours
from zhiwan.city.people.ways_in.models import Session
from zhiwan.city.people.ways_in.session_store import FACTS, over
from zhiwan.kernel.facts.errors import PartUnavailable

log = logging.getLogger(__name__)
SEEN_EVERY = timedelta(seconds=30)
SIGNED_OUT = "signed_out"  # kind of the hint that ends streams


def enter(
    request: HttpRequest, user: User, *, how: str, second_at: datetime | None = None, at: datetime | None = None
) -> None:
    """Sign the browser of this request in. What it owes (demands.py) has been given by now."""
    now = at or timezone.now()
    address = request.META.get("REMOTE_ADDR") or None
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session[FACTS] = {
        "address": address,
        "agent": request.headers.get("User-Agent", "")[:200],
        "how": how,
        "second_at": second_at.isoformat() if second_at else "",
    }
    request.session.set_expiry(now + limits.at(now).session)
    own.record("people.sign_in", user, address=address, at=now, after={"how": how, "second_factor": bool(second_at)})


def keep_after_new_password(request: HttpRequest, user: User) -> None:
    """This browser goes on after its account changed the password; Django binds sessions to the password's hash."""
    update_session_auth_hash(request, user)


def become_wall(request: HttpRequest) -> None:
    """This browser only looks from now on, and is not signed out for being idle (presence.py refuses the rest)."""
    request.session[FACTS] = {**request.session.get(FACTS, {}), "wall": True}
    if isinstance(request.user, User):
        own.record("account.become_wall", request.user)


def confirm_second(request: HttpRequest, at: datetime) -> None:
    """The second factor was shown again, for what asks for a fresh one."""
    request.session[FACTS] = {**request.session.get(FACTS, {}), "second_at": at.isoformat()}


def second_is_fresh(request: HttpRequest, at: datetime) -> bool:
    """Whether the second factor was shown within the last minutes that count (obligation of the guard)."""
    told = request.session.get(FACTS, {}).get("second_at")
    return bool(told) and at - datetime.fromisoformat(told) < timedelta(minutes=limits.at(at).second_fresh_minutes)


def of(user: User, at: datetime) -> list[Session]:
    """The sessions of an account that hold, the one used last first."""
    with acting_system("web"):
        rows = Session.objects.filter(user=user, ended_at=None, expire_date__gt=at).order_by("-seen_at")
        return [row for row in rows if not over(row, at)]


def seen(row: Session, at: datetime) -> None:
    """The person did something. Written at most every half minute, so that reading costs no writing."""
    if at - row.seen_at >= SEEN_EVERY:
        Session.objects.filter(pk=row.pk, ended_at=None).update(seen_at=at)


@transaction.atomic
def end(*, user: User, session: uuid.UUID, why: str = "own", at: datetime | None = None) -> None:
    """One device of the account is signed out. Raises NotYours."""
    own.require(user)
    now = at or timezone.now()
    if not _end(Session.objects.filter(user=user, public_id=session), why, now):
        raise NotYours()
    own.record("account.end_session", user, at=now, after={"why": why})


@transaction.atomic
def end_all(*, user: User, why: str = "own", spare: str | None = None, at: datetime | None = None) -> int:
    """All devices of the account but `spare` are signed out; how many."""
    own.require(user)
    now = at or timezone.now()
    rows = Session.objects.filter(user=user)
    count = _end(rows.exclude(public_id=spare) if spare else rows, why, now)
    own.record("account.end_sessions", user, at=now, after={"why": why, "count": count})
    return count


@transaction.atomic
def revoke(*, user: User, session: uuid.UUID | None = None, at: datetime | None = None) -> int:
    """The security administrator signs out one device of an account, or all."""
    demands.require_rank(guard.require("session.revoke"), user)
    now = at or timezone.now()
    rows = Session.objects.filter(user=user)
    count = _end(rows.filter(public_id=session) if session else rows, "revoked", now)
    audit.record("session.revoke", f"user:{user.username}", at=now, after={"count": count})
    return count


def _end(rows: object, why: str, now: datetime) -> int:
    """End the rows of a query that still hold, and the streams of their pages after the commit."""
    with acting_system("web"):
        ids = list(rows.filter(ended_at=None).select_for_update().values_list("public_id", flat=True))  # type: ignore[attr-defined]
        Session.objects.filter(public_id__in=ids).update(ended_at=now, ended_why=why, session_data="")
    cut_streams(ids)
    return len(ids)


def cut_streams(ids: Iterable[uuid.UUID]) -> None:
    """Tell `live` after the commit. A lost hint is no hole: a stream has to show a fresh ticket every few minutes."""
    from zhiwan.city.packs_loaded import the_bus  # it knows spaces and packs, which stand above people

    hint = {"kind": SIGNED_OUT, "sessions": [str(one) for one in ids]}
    if not hint["sessions"]:
        return

    def tell() -> None:
        try:
            the_bus().announce(orjson.dumps([hint]))
        except PartUnavailable as problem:
            log.debug("streams are not cut at once: %s", problem)

    transaction.on_commit(tell)
