"""In whose name the database works: `acting(post)` for people and tokens, `acting_system(process)` for processes.

Both open a transaction (or a savepoint), take a role, the reach of the post (towns, zones, lines, own) and the space
*for this transaction only*, and put back what was there before, so that they nest and leave nothing to the next user
of the connection. Without them a connection is zhiwan_area with no towns in no space: it sees accounts and public
tables, and no guarded row.

zhiwan_district  every row                    zhiwan_line    some lines of duty, across the district
zhiwan_area      towns                        zhiwan_scoped  towns and zones, lines, own
zhiwan_accounts     accounts and audit, no row of the city

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
from zhiwan.city.people.models import Post, User
from zhiwan.city.people.reach import person_of
from zhiwan.city.people.roles import role_of
from zhiwan.kernel.guard.people import EVERYWHERE, Person, Reach

LIVE = "live"
Process = Literal["web", "worker", "jobs", "door", "live", "cli"]


#: What a process is to the guard: it reaches everything, and may do what its actions say a process may.
_PROCESS = Person(reach=EVERYWHERE, process=True)


@dataclass(frozen=True)
class Actor:
    """Who acts now: for guards and audit. A process has no user and no post."""

    name: str
    user: User | None = None
    post: Post | None = None
    address: str | None = None
    space: str = LIVE
    person: Person = _PROCESS

    @property
    def is_system(self) -> bool:
        return self.post is None

    @property
    def who(self) -> str:
        """Who it is, through whatever post: the account, or the name of who has none (a story's person)."""
        return f"user:{self.user.pk}" if self.user is not None else f"name:{self.name}"

    @property
    def reach(self) -> Reach:
        """Where and whose."""
        return self.person.reach

    @property
    def towns(self) -> frozenset[str] | None:
        """The towns it covers; None for the whole district."""
        return None if self.reach.everywhere else self.reach.towns


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


def is_public() -> bool:
    """Whether a resident or a firm acts: who sees what is published, and the own."""
    actor = _current.get()
    role = role_of(actor.person.role or "") if actor is not None else None
    return role is not None and role.sort == "public"


@contextmanager
def acting(
    post: Post,
    *,
    user: User | None = None,
    address: str | None = None,
    space: str | None = None,
    name: str | None = None,
    second_factor: bool = False,
) -> Iterator[Actor]:
    """Work as this post, with the rows it reaches. `name`: of a story person; `second_factor`: it was shown."""
    name = name or (str(user) if user is not None else post.id)
    person = person_of(post, user=user, name=name, second_factor=second_factor)
    with _scoped(Actor(name, user, post, address, space or current_space(), person)) as actor:
        yield actor


@contextmanager
def acting_system(process: Process, *, space: str | None = None) -> Iterator[Actor]:
    """Work as a process of the platform, over the whole district."""
    with _scoped(Actor(f"system:{process}", space=space or current_space())) as actor:
        yield actor


@contextmanager
def _scoped(actor: Actor) -> Iterator[Actor]:
    outermost = _current.get() is None
    token = _current.set(actor)
    try:
        with transaction.atomic():
            before = _swap((_role_for(actor), *_settings(actor.reach), actor.space))
            yield actor
            # After an error, or a rollback asked for, the end of the savepoint puts the settings back by itself.
            if not connection.needs_rollback:
                if outermost:
                    flush()  # last: its locks are held until the commit
                _swap(before)
    finally:
        _current.reset(token)


def _role_for(actor: Actor) -> str:
    """The narrowest role of the database that says all of the reach."""
    role = role_of(actor.person.role or "") if actor.post is not None else None
    if role is not None and role.sort == "administrator":
        return "zhiwan_accounts"
    return f"zhiwan_{actor.reach.kind}"


SETTINGS = ("role", "zhiwan.towns", "zhiwan.zones", "zhiwan.lines", "zhiwan.own", "zhiwan.near", "zhiwan.space")
_READ = "SELECT current_user, " + ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in SETTINGS[1:])
_SET = "SELECT " + ", ".join(f"set_config('{name}', %s, true)" for name in SETTINGS)


def _settings(reach: Reach) -> tuple[str, ...]:
    """towns, zones, lines, own, near as the policies read them (city/sql/scopes.py). No line is `*`: every line."""
    lines = "*" if reach.lines is None else ",".join(sorted(reach.lines))
    near = reach.near | {"public"} if reach.public else reach.near
    texts = [",".join(sorted(part)) for part in (reach.towns, reach.zones, reach.own, near)]
    return texts[0], texts[1], lines, texts[2], texts[3]


def _swap(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Take role, reach and space until the end of the transaction; returns what they were."""
    with connection.cursor() as cursor:
        cursor.execute(_READ)
        was = cursor.fetchone()
        cursor.execute(_SET, list(wanted))
    return tuple(str(one) for one in was)
