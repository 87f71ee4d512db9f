"""Which posts demand a second factor."""

from __future__ import annotations

from zhiwan.city.people.models import User
from zhiwan.city.people.queries import posts_of

ADMINISTRATORS = frozenset({"system_admin", "security_admin", "audit_admin"})
#: Roles whose work reaches fields of the two highest grades.
HIGHEST_GRADES = frozenset({"data_steward"})


def roles_that_demand(user: User, *, how: str = "password") -> frozenset[str]:
    """The roles of the account that demand one. A one-time link is a proof of its own: whoever comes in by it is asked
    for another only as an administrator."""
    demanding = ADMINISTRATORS if how == "link" else ADMINISTRATORS | HIGHEST_GRADES
    return frozenset(post.role for post in posts_of(user)) & demanding
