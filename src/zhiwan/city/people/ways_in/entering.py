"""What an account still owes between its first proof and coming in.

steps(user, how, at) -> ("second" | "password" | "enrol", ...)   in this order; empty: it may come in
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import demands, passwords, second_factor

Step = Literal["second", "password", "enrol"]


def steps(user: User, *, how: str, at: datetime) -> tuple[Step, ...]:
    """What is asked after `how` (password, link, recovery) told who it is."""
    owed: list[Step] = []
    has_second = second_factor.enrolled(user)
    if has_second:
        owed.append("second")
    if how == "recovery" or passwords.must_choose(user, at):
        owed.append("password")
    if not has_second and demands.roles_that_demand(user, how=how):
        owed.append("enrol")
    return tuple(owed)
