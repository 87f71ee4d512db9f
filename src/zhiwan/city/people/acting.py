"""In whose name the database works: `acting(post)` for people and tokens, `acting_system(process)` for processes.

Both open a transaction (or a savepoint), take a role, the towns and the space *for this transaction only*, and put
back what was there before, so that they nest and leave nothing to the next user of the connection. Without them a
connection is zhiwan_area with no towns in no space: it sees accounts and public tables, and no guarded row.

What was recorded for the audit meanwhile is put into its chains at the end of the outermost of them (chaining.py).
A space is named, or that of whoever acts around, or that of the process: live, unless it was started for another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from django.db import connection, transaction

from zhiwan.city.people.chaining import flush
from zhiwan.city.people.models import Post, Scope, User

LIVE = "live"
Process = Literal["web", "worker", "jobs", "door", "live", "cli"]


@dataclass(frozen=True)
class Actor:
    """Who acts now: for guards and audit. A process has no user and no post."""

    name: str
    user: User | None = None
    post: Post | None = None
    address: str | None = None
    space: str = LIVE

    @property
    def is_system(self) -> bool:
        return self.post is None

    @property
    def person(self) -> str:
        """Who it is, through whatever post: the account, or the name of who has none (a story's person)."""
        return f"user:{self.user.pk}" if self.user is not None else f"name:{self.name}"

    @property
    def towns(self) -> frozenset[str] | None:
        """The towns it covers; None for the whole district."""
        if self.post is None or self.post.scope == Scope.DISTRICT:
            return None
        return frozenset(self.post.towns)


_current: ContextVar[Actor | None] = ContextVar("zhiwan_actor", default=None)
_process_space = LIVE


def current_actor() -> Actor | None:
    """Who acts in this context; None outside acting() and acting_system()."""
    return _current.get()


def current_space() -> str:
    """The space in which this context acts."""
    actor = _current.get()
    return actor.space if actor is not None else _process_space


def use_space(space: str) -> None:
    """This whole process works for one space, as a worker does."""
    global _process_space
    _process_space = space


@contextmanager
def acting(
    post: Post,
    *,
    user: User | None = None,
    address: str | None = None,
    space: str | None = None,
    name: str | None = None,
) -> Iterator[Actor]:
    """Work as this post: its towns' rows, or all rows for a post of the whole district. `name`: of a story person."""
    name = name or (str(user) if user is not None else post.id)
    with _scoped(Actor(name, user, post, address, space or current_space())) as actor:
        yield actor


@contextmanager
def acting_system(process: Process, *, space: str | None = None) -> Iterator[Actor]:
    """Work as a process of the platform, over the whole district."""
    with _scoped(Actor(f"system:{process}", space=space or current_space())) as actor:
        yield actor


@contextmanager
def _scoped(actor: Actor) -> Iterator[Actor]:
    outermost = _current.get() is None
    towns = actor.towns
    role = "zhiwan_district" if towns is None else "zhiwan_area"
    token = _current.set(actor)
    try:
        with transaction.atomic():
            before = _swap(role, ",".join(sorted(towns or ())), actor.space)
            yield actor
            # After an error, or a rollback asked for, the end of the savepoint puts the settings back by itself.
            if not connection.needs_rollback:
                if outermost:
                    flush()  # last: its locks are held until the commit
                _swap(*before)
    finally:
        _current.reset(token)


def _swap(role: str, towns: str, space: str) -> tuple[str, str, str]:
    """Set role, towns and space until the end of the transaction; returns what they were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, coalesce(current_setting('zhiwan.towns', true), ''),"
            " coalesce(current_setting('zhiwan.space', true), '')"
        )
        was = cursor.fetchone()
        cursor.execute(
            "SELECT set_config('role', %s, true), set_config('zhiwan.towns', %s, true),"
            " set_config('zhiwan.space', %s, true)",
            [role, towns, space],
        )
    return str(was[0]), str(was[1]), str(was[2])
