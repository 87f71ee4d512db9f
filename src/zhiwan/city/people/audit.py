"""Writes the record of an action: who, as which post, what, before and after, why, from where, when.

    audit.record("case.close", "case:17", at=now, before={…}, after={…}, purpose="…")

The table is append-only, and each record follows the one before it of the same chain: one chain for each acting
organisation, one for each kind of process, one for accounts that sign in. Nothing is locked until the transaction ends
(chaining.py). What the chains prove: docs/explain/audit.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from zhiwan.city.people import chaining
from zhiwan.city.people.acting import LIVE, Actor, current_actor
from zhiwan.city.people.models import User
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.chain import plain, plain_address

ACCOUNTS = "accounts"  # the chain of what accounts do before a post is chosen
LONGEST_PURPOSE = 200
LONGEST_NAME = 80


class PurposeTooLong(InputRefused):
    """A reason that does not fit into the record."""

    code = "AUDIT-003"
    fact = "a purpose has at most {most} characters; this one has {length}"
    hint = "Say it shorter; the record must hold all of it."


def record(
    action: str,
    subject: str,
    *,
    at: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    purpose: str = "",
) -> None:
    """One record in the transaction of the action; `subject` is `<kind>:<id>`, before and after only what changed.

    `purpose`: why somebody reads or takes out what they may not have without a reason (a reveal, an export).
    """
    if len(purpose) > LONGEST_PURPOSE:
        raise PurposeTooLong(most=LONGEST_PURPOSE, length=len(purpose))
    actor = current_actor()
    post = actor.post if actor else None
    _keep(
        chaining.Draft(
            chain=_chain(actor),
            at=at,
            user=actor.user.pk if actor and actor.user else None,
            account=_account(actor),
            actor=plain(actor.name)[:LONGEST_NAME] if actor else "nobody",
            post=post.pk if post else None,
            organisation=post.organisation_id if post else None,
            action=action,
            subject=plain(subject),
            before=plain(before),
            after=plain(after),
            purpose=plain(purpose),
            address=plain_address(actor.address) if actor else None,
            space=actor.space if actor else LIVE,
        )
    )


def record_of_account(
    action: str, user: User, *, at: datetime, address: str | None, after: Mapping[str, Any] | None = None
) -> None:
    """What an account does for itself, before or without a post: signing in and out, its password, its devices."""
    _keep(
        chaining.Draft(
            chain=ACCOUNTS,
            at=at,
            user=user.pk,
            account=user.username,
            actor=str(user)[:LONGEST_NAME],
            post=None,
            organisation=None,
            action=action,
            subject=f"user:{user.username}",
            before=None,
            after=plain(after),
            purpose="",
            address=plain_address(address),
            space=LIVE,
        )
    )


def _chain(actor: Actor | None) -> str:
    """Of the organisation whose post acts; processes have theirs, each kind its own."""
    if actor is None:
        return ACCOUNTS
    return f"org:{actor.post.organisation_id}" if actor.post else actor.name


def _account(actor: Actor | None) -> str:
    """What identifies who acted: the account's name, or that of the process, token or story person."""
    if actor is None:
        return "nobody"
    return actor.user.username if actor.user else actor.name


def _keep(draft: chaining.Draft) -> None:
    """For the end of acting(); outside it nobody would come and chain it, so it is done at once."""
    if current_actor() is not None:
        chaining.note(draft)
    else:
        with transaction.atomic():
            chaining.append([draft])
