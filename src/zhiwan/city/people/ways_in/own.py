"""The guard of what an account does to itself: change its password, end its sessions, give a grant.

No post and no role matters there; that the account is the one that acts does. Before anyone is signed in the proof
that was just shown (a password, a code, a link) stands for it, and no one acts yet.
"""

from __future__ import annotations

from zhiwan.city.people.acting import current_actor
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in.errors import NotYours


def require(user: User) -> None:
    """Raises NotYours when somebody else acts."""
    actor = current_actor()
    if actor is not None and actor.user is not None and actor.user.pk != user.pk:
        raise NotYours()
