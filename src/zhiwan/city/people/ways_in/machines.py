"""Service accounts: machines that use the API. Each acts through a post, within its scopes, with keys that end.

create(title, post, scopes, days) -> (ServiceAccount, key)       the key is shown once; only its hash is kept
rotate(account, days) -> key            a new key; the old ones live on for some hours, so that nothing has to stop
end_key(key_id) · end_account(account)  at once
find(key, address, at) -> ServiceKey | None       for the API's door; notes that it was used
accounts() · account(id)
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from zhiwan.city.people import audit, guard
from zhiwan.city.people.models import Post
from zhiwan.city.people.ways_in import limits
from zhiwan.city.people.ways_in.errors import ServiceRefused
from zhiwan.city.people.ways_in.hashes import digest
from zhiwan.city.people.ways_in.models import ServiceAccount, ServiceKey

PREFIX = "zw_"
SHOWN = 9  # letters by which people tell keys apart
USED_EVERY = timedelta(minutes=1)


@transaction.atomic
def create(
    *, title: str, post: Post, scopes: Iterable[str], days: int | None = None, at: datetime | None = None
) -> tuple[ServiceAccount, str]:
    """A service account with its first key. Raises ServiceRefused."""
    guard.require("service.manage")
    now = at or timezone.now()
    kept = _scopes(scopes)
    if not 1 <= len(title.strip()) <= 120:
        raise ServiceRefused(problem=_("请填写名称。"))
    account = ServiceAccount.objects.create(title=title.strip(), post=post, scopes=kept, created_at=now)
    key = _new_key(account, days, now)
    audit.record(
        "service.create", f"service:{account.pk}", at=now, after={"title": title, "post": post.id, "scopes": kept}
    )
    return account, key


@transaction.atomic
def change_scopes(*, account: ServiceAccount, scopes: Iterable[str], at: datetime | None = None) -> None:
    """What the account may use from the next call on."""
    guard.require("service.manage")
    before, after = account.scopes, _scopes(scopes)
    account.scopes = after
    account.save(update_fields=["scopes"])
    subject = f"service:{account.pk}"
    audit.record(
        "service.change_scopes", subject, at=at or timezone.now(), before={"scopes": before}, after={"scopes": after}
    )


@transaction.atomic
def rotate(*, account: ServiceAccount, days: int | None = None, at: datetime | None = None) -> str:
    """A new key. The old ones end after the hours of overlap, or when they would have anyway."""
    guard.require("service.manage")
    now = at or timezone.now()
    if account.ended_at is not None:
        raise ServiceRefused(problem=_("这个服务账号已停用。"))
    over = now + timedelta(hours=limits.at(now).key_overlap_hours)
    ServiceKey.objects.filter(account=account, ended_at=None, expires_at__gt=over).update(expires_at=over)
    key = _new_key(account, days, now)
    audit.record("service.rotate", f"service:{account.pk}", at=now)
    return key


def _new_key(account: ServiceAccount, days: int | None, now: datetime) -> str:
    most = limits.at(now).key_days
    if not 1 <= (days or most) <= most:
        raise ServiceRefused(problem=_("有效期为 1 到 {n} 天。").format(n=most))
    key = PREFIX + secrets.token_urlsafe(24)
    ServiceKey.objects.create(
        account=account,
        key_hash=digest(key),
        begins=key[:SHOWN],
        created_at=now,
        expires_at=now + timedelta(days=days or most),
    )
    return key


@transaction.atomic
def end_key(*, account: ServiceAccount, key_id: int, at: datetime | None = None) -> None:
    """This key opens nothing any more."""
    guard.require("service.manage")
    now = at or timezone.now()
    ServiceKey.objects.filter(account=account, pk=key_id, ended_at=None).update(ended_at=now)
    audit.record("service.end_key", f"service:{account.pk}", at=now, after={"key": key_id})


@transaction.atomic
def end_account(*, account: ServiceAccount, at: datetime | None = None) -> None:
    """None of its keys opens anything any more."""
    guard.require("service.manage")
    now = at or timezone.now()
    ServiceAccount.objects.filter(pk=account.pk, ended_at=None).update(ended_at=now)
    ServiceKey.objects.filter(account=account, ended_at=None).update(ended_at=now)
    audit.record("service.end", f"service:{account.pk}", at=now)


def find(key: str, *, address: str | None, at: datetime) -> ServiceKey | None:
    """The key if it opens something now. Its last use is noted once a minute: a fast client must not write as often."""
    good = ServiceKey.objects.filter(key_hash=digest(key), ended_at=None, expires_at__gt=at, account__ended_at=None)
    row = good.select_related("account__post").first()
    if row is not None and (row.last_used_at is None or at - row.last_used_at >= USED_EVERY):
        ServiceKey.objects.filter(pk=row.pk).update(last_used_at=at, last_address=address)
    return row


def accounts() -> list[ServiceAccount]:
    """All of them with their keys, the running ones first."""
    found = ServiceAccount.objects.select_related("post").prefetch_related("keys")
    return sorted(found, key=lambda one: (one.ended_at is not None, one.title))


def account(id: int) -> ServiceAccount | None:
    """One of them."""
    return ServiceAccount.objects.select_related("post").filter(pk=id).first()


def _scopes(wished: Iterable[str]) -> list[str]:
    scopes = sorted(set(wished))
    if not scopes:
        raise ServiceRefused(problem=_("至少选择一项权限。"))
    return scopes
