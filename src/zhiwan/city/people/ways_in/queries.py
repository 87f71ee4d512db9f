"""Reads of the ways in: for the pages of administrators, and whose records are an account's own.

accounts(kind, text, state, at, page) -> Page of AccountRow        account(id, at) -> AccountRow | None
own_of(user, at) -> Own        itself, its wards, its firms (the guard's third axis)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from zhiwan.city.paging import Page, paged
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import Holding, Post, User
from zhiwan.city.people.ways_in import firms, locks, passwords, phones, proxies, second_factor
from zhiwan.city.people.ways_in.models import Credential, PhoneNumber

STAFF, RESIDENTS = "staff", "residents"
STATES = ("off", "never", "without_second")


@dataclass(frozen=True)
class AccountRow:
    """An account as administrators see it: how it comes in and whether it can, nothing of what it does."""

    user: User
    posts: tuple[Post, ...]
    has_second: bool
    sessions: int
    locked_until: datetime | None
    phone: str  # masked


@dataclass(frozen=True)
class Own:
    """The subjects whose records an account may treat as its own at a moment: accounts and credit codes."""

    person: str
    wards: tuple[str, ...]
    firms: tuple[str, ...]


def own_of(user: User, at: datetime) -> Own:
    """Itself, whom it acts for with a proxy in force, and the firms of its grants."""
    wards = [one.ward.username for one in proxies.of_agent(user, at) if one.ward is not None and one.confirmed_at]
    return Own(user.username, tuple(wards), tuple(one.firm.code for one in firms.grants_of(user, at)))


def accounts(
    *, kind: str = STAFF, text: str = "", state: str = "", at: datetime, page: int = 1, size: int = 50
) -> Page[AccountRow]:
    """Accounts of staff, or of residents, by name. Residents are found by the last digits of their phone."""
    with acting_system("web"):
        found = _found(at).filter(phone__isnull=kind != RESIDENTS)
        if text:
            found = found.filter(Q(username__icontains=text) | Q(display_name__icontains=text) | Q(phone__tail=text))
        if state == "off":
            found = found.filter(is_active=False)
        elif state == "never":
            found = found.filter(last_login=None)
        elif state == "without_second":
            found = found.exclude(credential__totp_sealed__isnull=False)
        users = paged(found.order_by("username"), lambda user: user, page, size)
        return Page(_rows(users.rows, at), users.total, users.page, users.size)


def account(id: int, at: datetime) -> AccountRow | None:
    """One account."""
    with acting_system("web"):
        return next(iter(_rows(list(_found(at).filter(pk=id)), at)), None)


def _found(at: datetime) -> QuerySet[User]:
    second = Credential.objects.filter(user=OuterRef("pk"), totp_sealed__isnull=False)
    hold = Q(sessions__isnull=False, sessions__ended_at=None, sessions__expire_date__gt=at)
    return User.objects.annotate(has_second=Exists(second), session_count=Count("sessions", filter=hold))


def _rows(users: Sequence[User], at: datetime) -> list[AccountRow]:
    """Rows of a page, with three queries for all of them."""
    posts: dict[int, list[Post]] = {}
    for holding in Holding.objects.filter(user__in=users).select_related("post__organisation").order_by("post_id"):
        posts.setdefault(holding.user_id, []).append(holding.post)
    tails = dict(PhoneNumber.objects.filter(user__in=users).values_list("user_id", "tail"))
    until = locks.until([passwords.WHAT, second_factor.WHAT], [user.username for user in users], at)
    return [
        AccountRow(
            user=user,
            posts=tuple(posts.get(user.pk, ())),
            has_second=user.has_second,  # type: ignore[attr-defined]
            sessions=user.session_count,  # type: ignore[attr-defined]
            locked_until=until.get(user.username),
            phone=phones.masked(tails[user.pk]) if user.pk in tails else "",
        )
        for user in users
    ]
