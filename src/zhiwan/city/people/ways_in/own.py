"""What an account does to itself: change its password, end its sessions, give a grant. Its guard and its record.

No post and no role matters there; that the account is the one that acts does. Before anyone is signed in the proof
that was just shown (a password, a code, a link) stands for it, and no one acts yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from zhiwan.city.people import audit
from zhiwan.city.people.acting import current_actor
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in.errors import NotYours


def require(user: User) -> None:
    """Raises NotYours when somebody else acts."""
    actor = current_actor()
    if actor is not None and actor.user is not None and actor.user.pk != user.pk:
        raise NotYours()


def record(
    action: str,
    user: User,
    *,
    at: datetime | None = None,
    address: str | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Into the audit in the account's own name; from where it acts, when `address` does not say better."""
    actor = current_actor()
    where = address or (actor.address if actor else None)
    audit.record_of_account(action, user, at=at or timezone.now(), address=where, after=after)
