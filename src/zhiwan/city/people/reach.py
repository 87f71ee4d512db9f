"""How far a post reaches, and the person it makes of its holder: what acting.py tells the database and the guard asks.

A post whose scope its role does not allow reaches nothing: a wrong row of the table gives no right.
"""

from __future__ import annotations

from datetime import date, datetime, time

from django.utils import timezone

from zhiwan.city.people.models import Post, Scope, User
from zhiwan.city.people.roles import role_of
from zhiwan.kernel.guard.people import NOWHERE, Person, Reach
from zhiwan.kernel.guard.roles import Role


def reach_of(post: Post, user: User | None = None) -> Reach:
    """Where and whose."""
    role = role_of(post.shipped_role)
    if role is None or not scope_fits(role, post):
        return NOWHERE
    lines = frozenset(post.lines) if post.line_bound else None
    match post.scope:
        case Scope.DISTRICT:
            own = frozenset() if lines is None else frozenset({f"post:{post.id}", f"role:{post.role}"})
            return Reach(everywhere=True, lines=lines, own=own)
        case Scope.TOWNS:
            own = frozenset() if lines is None else frozenset({f"post:{post.id}"})
            return Reach(towns=frozenset(post.towns), lines=lines, own=own)
        case Scope.ZONES:
            near = frozenset(zone[:9] for zone in post.zones if zone.isdecimal())
            own = frozenset({f"post:{post.id}"})
            return Reach(towns=frozenset(post.towns), zones=frozenset(post.zones), lines=lines, own=own, near=near)
        case Scope.OWN:
            mine = {f"post:{post.id}", f"body:{post.organisation_id}"}
            account = {f"account:{user.pk}"} if user is not None else set()
            return Reach(own=frozenset(mine | account), public=role.sort == "public")
    return NOWHERE


def scope_fits(role: Role, post: Post) -> bool:
    """Whether a post of this role may have this scope."""
    wanted = {str(post.scope)} | ({"lines"} if post.line_bound and post.scope != Scope.OWN else set())
    # A line across the whole district is a scope of its own; a role that may have it need not have the whole district.
    if post.line_bound and post.scope == Scope.DISTRICT:
        wanted.discard("district")
    return wanted <= set(role.scopes)


def person_of(post: Post, *, user: User | None, name: str | None = None, second_factor: bool = False) -> Person:
    """The person that a post makes of its holder. Its days begin at the place's midnight."""
    role = role_of(post.shipped_role)
    account = user.get_username() if user is not None else name or post.id
    return Person(
        account=account,
        post=post.id,
        role=role.id if role is not None else None,
        duty=post.role,
        reach=reach_of(post, user),
        since=_midnight(post.valid_from),
        until=_midnight(post.valid_to),
        second_factor=second_factor,
    )


def _midnight(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time())) if day is not None else None
