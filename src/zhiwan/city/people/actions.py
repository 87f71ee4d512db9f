"""Writes of people: accounts, one-time links, an account's language. How accounts prove themselves: ways_in/.

create_user(name, display_name, password, language="", posts=()) -> User
create_link(user, minutes=15, at=None) -> str                    the token; only its hash is kept
take_link(token, address, at=None) -> SignInLink                 once, loopback only; use_link gives its account
record_sign_out(user, address, at=None)
set_language(user, language)
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.people.models import Post, SignInLink, User
from zhiwan.city.people.organisation import hold
from zhiwan.city.people.ways_in import demands, passwords
from zhiwan.city.people.ways_in.hashes import digest as digest
from zhiwan.kernel.facts.errors import InputRefused


class LinkRefused(InputRefused):
    """A one-time link that does not (or no longer) sign anyone in."""

    code = "PEOPLE-010"
    fact = "this sign-in link cannot be used"
    detail = "It was used before, is older than its minutes, or comes from another machine."
    hint = "Ask for a new one: zhiwan link"


@transaction.atomic
def create_user(
    *,
    name: str,
    display_name: str,
    password: str | None,
    language: str = "",
    posts: Iterable[Post] = (),
    hashed: str = "",
) -> User:
    """A new account with its posts; None as password: only a link signs it in. `hashed`: the password, hashed before
    (of many accounts side by side: hashing is slow on purpose)."""
    guard.require("people.manage")
    user = User(username=name, display_name=display_name, language=language)
    user.set_unusable_password()
    if password is not None:
        validate_password(password, user)
    user.save()
    if password is not None:
        passwords.note_new(user, password, timezone.now(), hashed=hashed)
    hold(user, posts)
    audit.record("people.create_user", f"user:{name}", at=timezone.now(), after={"posts": [p.id for p in posts]})
    return user


@transaction.atomic
def create_link(*, user: User, minutes: int = 15, anywhere: bool = False, at: datetime | None = None) -> str:
    """A token that signs `user` in once, from this machine unless `anywhere` (a phone on the LAN).

    Links of the same account and sort made before stop to work.
    """
    demands.require_rank(guard.require("people.manage"), user)
    now = at or timezone.now()
    token = secrets.token_urlsafe(24)
    SignInLink.objects.filter(user=user, used_at=None, anywhere=anywhere, recovery=False).update(expires_at=now)
    SignInLink.objects.create(
        token_hash=digest(token),
        user=user,
        created_at=now,
        expires_at=now + timedelta(minutes=minutes),
        anywhere=anywhere,
    )
    audit.record("people.create_link", f"user:{user.username}", at=now, after={"anywhere": anywhere})
    return token


def use_link(*, token: str, address: str, at: datetime | None = None) -> User:
    """The account of a link, which is used up by this. Raises LinkRefused."""
    return take_link(token=token, address=address, at=at).user


@transaction.atomic
def take_link(*, token: str, address: str, at: datetime | None = None) -> SignInLink:
    """The link of a token, used up by this. Raises LinkRefused; tells nobody which reason it was.

    Needs no post: it runs before anyone is signed in.
    """
    now = at or timezone.now()
    # The lock looks at the row again after waiting: of two requests at the same moment only one gets it.
    good = SignInLink.objects.filter(token_hash=digest(token), used_at=None, expires_at__gt=now)
    link = good.select_for_update().first()
    if link is None or not link.user.is_active or not (link.anywhere or is_this_machine(address)):
        raise LinkRefused()
    link.used_at = now
    link.save(update_fields=["used_at"])
    return link


def is_this_machine(address: str) -> bool:
    """Whether a peer's address is of this machine: loopback, or the LAN address that --lan serves on."""
    try:
        return ipaddress.ip_address(address).is_loopback or address == settings.ZHIWAN_LAN_ADDRESS
    except ValueError:
        return False


def record_sign_out(*, user: User, address: str | None, at: datetime | None = None) -> None:
    """Signing out is an act of the account, whatever post it used."""
    audit.record_of_account("people.sign_out", user, at=at or timezone.now(), address=address)


def set_language(*, user: User, language: str) -> None:
    """An account's own choice."""
    user.language = language
    user.save(update_fields=["language"])
