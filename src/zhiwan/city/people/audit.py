"""Writes the record of an action. The table is append-only; whoever may act may add to it, only the district reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zhiwan.city.people.acting import current_actor
from zhiwan.city.people.models import AuditRecord, User


def record(
    action: str,
    subject: str,
    *,
    at: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """One record in the transaction of the action; `subject` is `<kind>:<id>`, before and after only what changed."""
    actor = current_actor()
    AuditRecord.objects.create(
        at=at,
        user=actor.user if actor else None,
        post=actor.post if actor else None,
        actor=actor.name if actor else "nobody",
        action=action,
        subject=subject,
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        address=actor.address if actor else None,
        space=actor.space if actor else "live",
    )


def record_of_account(
    action: str, user: User, *, at: datetime, address: str | None, after: Mapping[str, Any] | None = None
) -> None:
    """What an account does for itself, before or without a post: signing in and out, its password, its devices."""
    AuditRecord.objects.create(
        at=at,
        user=user,
        actor=str(user),
        action=action,
        subject=f"user:{user.username}",
        after=dict(after) if after is not None else None,
        address=address,
    )
