"""When an account cannot come in: what an administrator may do. There is no default password and no question of a pet.

give_link(user, without_second, anywhere) -> token      one-time; a new password has to be chosen behind it
unlock(user)                                            wrong tries are forgiven
switch_off(user) · switch_on(user)                      the account as a whole
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import SignInLink, User
from zhiwan.city.people.ways_in import demands, limits, locks, passwords, second_factor, sessions
from zhiwan.city.people.ways_in.errors import NotYours
from zhiwan.city.people.ways_in.hashes import digest


def _require_another(action: str, user: User) -> None:
    """Nobody recovers, unlocks or switches off himself: a stolen session must not outlive its owner's measures."""
    actor = guard.require(action)
    if actor.user is not None and actor.user.pk == user.pk:
        raise NotYours()
    demands.require_rank(actor, user)


@transaction.atomic
def give_link(*, user: User, without_second: bool, anywhere: bool, at: datetime | None = None) -> str:
    """A token with which the account chooses a new password, once; `without_second` for a lost phone.

    Earlier ones stop to work. The account's sessions end when it is used, not before: it may be asked for in error.
    """
    _require_another("account.recover", user)
    now = at or timezone.now()
    token = secrets.token_urlsafe(24)
    SignInLink.objects.filter(user=user, used_at=None, recovery=True).update(expires_at=now)
    SignInLink.objects.create(
        token_hash=digest(token),
        user=user,
        created_at=now,
        expires_at=now + timedelta(minutes=limits.at(now).recovery_minutes),
        anywhere=anywhere,
        recovery=True,
        without_second=without_second,
    )
    audit.record("account.recover", f"user:{user.username}", at=now, after={"without_second": without_second})
    return token


def begin(link: SignInLink, at: datetime) -> None:
    """The link was opened: what it takes away is taken away before anything is given."""
    sessions.end_all(user=link.user, why="recovery", at=at)
    unlock_ways(link.user)
    if link.without_second:
        second_factor.forget(link.user)


@transaction.atomic
def unlock(*, user: User, at: datetime | None = None) -> None:
    """Wrong tries are forgiven before their time."""
    _require_another("account.unlock", user)
    unlock_ways(user)
    audit.record("account.unlock", f"user:{user.username}", at=at or timezone.now())


def unlock_ways(user: User) -> None:
    """Lift the locks of name and second factor."""
    for what in (passwords.WHAT, second_factor.WHAT):
        locks.forgive(what, user.username)


@transaction.atomic
def switch_off(*, user: User, at: datetime | None = None) -> None:
    """The account opens nothing any more, on any device."""
    _require_another("account.switch", user)
    _switch(user, False)
    sessions.revoke(user=user, at=at)
    audit.record("account.switch_off", f"user:{user.username}", at=at or timezone.now())


@transaction.atomic
def switch_on(*, user: User, at: datetime | None = None) -> None:
    """The account may come in again."""
    _require_another("account.switch", user)
    _switch(user, True)
    audit.record("account.switch_on", f"user:{user.username}", at=at or timezone.now())


def _switch(user: User, active: bool) -> None:
    with acting_system("web"):
        User.objects.filter(pk=user.pk).update(is_active=active)
