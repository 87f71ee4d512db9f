"""Passwords of staff: what a new one must be, how old it may get, how it is changed.

RuleValidator                     the dated rules, as one of Django's validators
change(user, old, new)            by the account itself        choose(user, new)   after a proof of another sort
days_left(user, at)               until it must be changed; negative when it should have been
must_choose(user, at)             whether the next step of signing in is a new password
check_name_and_password(name, password, address, at) -> User
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.auth import authenticate
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import limits, locks, own, rates, sessions
from zhiwan.city.people.ways_in.errors import Locked, PasswordRefused, SignInRefused
from zhiwan.city.people.ways_in.models import Credential

WHAT = "password"
_SORTS: tuple[Callable[[str], bool], ...] = (
    lambda char: unicodedata.category(char) == "Lu",
    lambda char: unicodedata.category(char) in ("Ll", "Lo"),  # Chinese characters count with the small letters
    lambda char: unicodedata.category(char) == "Nd",
    lambda char: unicodedata.category(char)[0] in "PSZ",
)


def sorts_in(password: str) -> int:
    """How many of the four sorts (capital, small, digit, sign) a password holds."""
    return sum(any(map(is_of, password)) for is_of in _SORTS)


class RuleValidator:
    """Length, sorts of characters and former passwords, by the limits in force (AUTH_PASSWORD_VALIDATORS)."""

    def validate(self, password: str, user: User | None = None) -> None:
        rules = limits.at(timezone.now())
        problems = []
        if len(password) < rules.password_length:
            problems.append(_("至少 {n} 位。").format(n=rules.password_length))
        if sorts_in(password) < rules.password_classes:
            problems.append(_("大写字母、小写字母、数字、符号至少用 {n} 种。").format(n=rules.password_classes))
        if user is not None and user.pk and _was_used(user, password, rules.passwords_kept):
            problems.append(_("不能与现在或最近 {n} 次用过的相同。").format(n=rules.passwords_kept))
        if problems:
            raise ValidationError(problems)

    def get_help_text(self) -> str:
        rules = limits.at(timezone.now())
        return _("至少 {n} 位，大写字母、小写字母、数字、符号至少用 {m} 种。").format(
            n=rules.password_length, m=rules.password_classes
        )


def _was_used(user: User, password: str, kept: int) -> bool:
    with acting_system("web"):
        credential = Credential.objects.filter(user=user).first()
    former = credential.former[:kept] if credential else []
    return any(check_password(password, one) for one in (user.password, *former) if one and not one.startswith("!"))


def check_name_and_password(*, name: str, password: str, address: str, at: datetime | None = None) -> User:
    """The account of a name and a password. Raises SignInRefused, Locked, TooOften; each failure is counted twice:
    for the name (whether it exists or not) and for the address."""
    now = at or timezone.now()
    rates.require_address(address, now)
    left = locks.begin(WHAT, name, now)
    user = authenticate(username=name, password=password)
    if isinstance(user, User):
        locks.forgive(WHAT, name)
        return user
    rates.count_failure(address, now)
    if left == 0:
        _record_lock(name, address, now)
        raise Locked(until=now + limits.at(now).lock, at=now)
    raise SignInRefused(left=left)


def _record_lock(name: str, address: str, at: datetime) -> None:
    """A lock of an account that exists is part of its history."""
    if (user := User.objects.filter(username=name).first()) is not None:
        own.record("account.locked", user, address=address, at=at)


def change(*, user: User, old: str, new: str, keep: str | None = None, at: datetime | None = None) -> None:
    """A new password by the account itself, which shows that it knows the old one. Raises PasswordRefused, Locked,
    SignInRefused. Other sessions end; `keep` is the one that stays (its public id).

    Not one transaction: a wrong try stays counted.
    """
    own.require(user)
    now = at or timezone.now()
    left = locks.begin(WHAT, user.username, now)
    if not user.check_password(old):
        if left == 0:
            raise Locked(until=now + limits.at(now).lock, at=now)
        raise SignInRefused(left=left)
    locks.forgive(WHAT, user.username)
    with transaction.atomic():
        _keep(user, new, now)
        sessions.end_all(user=user, why="password", spare=keep, at=now)


@transaction.atomic
def choose(*, user: User, new: str, address: str | None = None, at: datetime | None = None) -> None:
    """A new password after another proof of who it is: a recovery link, or the old password that has just been shown
    and was too old. Raises PasswordRefused. Every session of the account ends."""
    own.require(user)
    now = at or timezone.now()
    _keep(user, new, now, address)
    sessions.end_all(user=user, why="password", at=now)


def _keep(user: User, new: str, now: datetime, address: str | None = None) -> None:
    try:
        validate_password(new, user)
    except ValidationError as problem:
        raise PasswordRefused(problems=" ".join(problem.messages)) from problem
    note_new(user, new, now)
    own.record("account.change_password", user, address=address, at=now)


def note_new(user: User, new: str, now: datetime, *, must_change: bool = False, hashed: str = "") -> None:
    """Keep a checked password, its age and the ones before it. `hashed`: where it was hashed already."""
    with acting_system("web"):
        credential, _made = Credential.objects.select_for_update().get_or_create(user=user)
        if user.password and user.has_usable_password():
            credential.former = [user.password, *credential.former][: limits.at(now).passwords_kept]
        user.password = hashed or make_password(new)
        user.save(update_fields=["password"])
        credential.password_set_at, credential.must_change = now, must_change
        credential.save(update_fields=["former", "password_set_at", "must_change"])


def days_left(user: User, at: datetime) -> int:
    """Days until the password must be changed, begun ones counted; 0 or less when it is over."""
    with acting_system("web"):
        credential = Credential.objects.filter(user=user).first()
    since = (credential.password_set_at if credential else None) or user.date_joined
    return left_of(since, at, timedelta(days=limits.at(at).password_days))


def left_of(since: datetime, at: datetime, span: timedelta) -> int:
    """Days that are left of a span, begun ones counted."""
    return math.ceil((since + span - at) / timedelta(days=1))


def must_choose(user: User, at: datetime) -> bool:
    """Whether this account has to choose a password before it goes on: it has none, it is too old, or not its own."""
    if not user.has_usable_password() or days_left(user, at) <= 0:
        return True
    with acting_system("web"):
        return Credential.objects.filter(user=user, must_change=True).exists()
