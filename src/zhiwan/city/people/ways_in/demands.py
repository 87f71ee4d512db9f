"""Which posts demand a second factor, and whose accounts only an administrator may touch."""

from __future__ import annotations

from zhiwan.city.people.acting import Actor
from zhiwan.city.people.models import User
from zhiwan.city.people.queries import posts_of
from zhiwan.city.people.ways_in.errors import NotYours

ADMINISTRATORS = frozenset({"system_admin", "security_admin", "audit_admin"})
#: Roles whose work reaches fields of the two highest grades.
HIGHEST_GRADES = frozenset({"data_steward"})


def roles_that_demand(user: User, *, how: str = "password") -> frozenset[str]:
    """The roles of the account that demand one. A one-time link is a proof of its own: whoever comes in by it is asked
    for another only as an administrator."""
    demanding = ADMINISTRATORS if how == "link" else ADMINISTRATORS | HIGHEST_GRADES
    return frozenset(post.role for post in posts_of(user)) & demanding


def require_rank(actor: Actor, user: User) -> None:
    """Only an administrator lets an administrator in, or shuts one out: otherwise whoever may give links to staff
    could make himself one. A process of the machine itself may. Raises NotYours."""
    if actor.post is None or actor.post.role in ADMINISTRATORS:
        return
    if any(post.role in ADMINISTRATORS for post in posts_of(user)):
        raise NotYours()
