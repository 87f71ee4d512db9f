"""Residents: an account is a verified phone. It holds the post `resident`, without towns: it sees no guarded row.

send_code(number, address) · sign_in(number, code, address) -> User
account_of(number, at) -> User       made at the first time; used where a phone was just verified
rename(user, name)                   what the person calls himself; nobody has verified it
"""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from zhiwan.city.people.acting import Actor, acting_system
from zhiwan.city.people.models import Holding, Organisation, Post, Scope, User
from zhiwan.city.people.ways_in import own, phones
from zhiwan.city.people.ways_in.errors import CodeRefused, GrantRefused
from zhiwan.city.people.ways_in.models import PhoneNumber
from zhiwan.city.people.ways_in.seals import seal

RESIDENT, FIRM = "resident", "firm"
#: Roles from outside the offices: they have pages of their own and none of the desk's.
PUBLIC = frozenset({RESIDENT, FIRM})
PURPOSE = "sign_in"
MOST_NAME = 40


def is_public(actor: Actor | None) -> bool:
    """Whether a resident or a firm acts."""
    return actor is not None and actor.post is not None and actor.post.role in PUBLIC


def send_code(*, number: str, address: str, at: datetime | None = None) -> None:
    """A code to sign in with. The same for a phone that is known and one that is not."""
    phones.send(number=number, purpose=PURPOSE, words=_words, address=address, at=at)


def _words(code: str, minutes: int) -> str:
    return _("【智湾】登录验证码 {code}，{n} 分钟内有效。请勿告诉任何人。").format(code=code, n=minutes)


def sign_in(*, number: str, code: str, address: str, at: datetime | None = None) -> User:
    """The account of the phone that received the code. Raises CodeRefused, TooOften."""
    now = at or timezone.now()
    phones.check(number=number, purpose=PURPOSE, code=code, address=address, at=now)
    user = account_of(number, now)
    if not user.is_active:
        raise CodeRefused()
    return user


@transaction.atomic
def account_of(number: str, at: datetime) -> User:
    """The account of a phone whose holder has just proved it; a new one for a new phone."""
    with acting_system("web"):
        known = PhoneNumber.objects.select_related("user").filter(key=phones.key(number)).first()
        if known is not None:
            return known.user
        user = User(username=f"r-{secrets.token_hex(8)}", date_joined=at)
        user.set_unusable_password()
        user.save()
        PhoneNumber.objects.create(
            user=user, key=phones.key(number), sealed=seal(number), tail=phones.tail(number), verified_at=at
        )
        Holding.objects.create(user=user, post=resident_post())
        own.record("account.begin", user, at=at, after={"role": RESIDENT})
    return user


def resident_post() -> Post:
    """The one post that all residents act through."""
    everyone, _made = Organisation.objects.get_or_create(
        id="residents", defaults={"name_zh": "居民", "name_en": "Residents", "area": ""}
    )
    post, _made = Post.objects.get_or_create(
        id=RESIDENT,
        defaults={
            "role": RESIDENT,
            "title_zh": "居民",
            "title_en": "Resident",
            "organisation": everyone,
            "scope": Scope.TOWNS,
            "towns": [],
        },
    )
    return post


@transaction.atomic
def rename(*, user: User, name: str, at: datetime | None = None) -> None:
    """What a resident is called on pages."""
    own.require(user)
    wished = name.strip()
    if not 1 <= len(wished) <= MOST_NAME:
        raise GrantRefused(problem=_("称呼为 1 到 {n} 个字。").format(n=MOST_NAME))
    with acting_system("web"):
        user.display_name = wished
        user.save(update_fields=["display_name"])
    own.record("account.rename", user, at=at)
