"""What of a graded value the acting person sees: whole, masked by its kind, or nothing. One function for all ways out.

Pages, API, exports, map, search and streams ask here; the grade and the kind stand in the pack's types.yml, nowhere
else. Nobody acting sees what is public (grade 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zhiwan.city.people.acting import current_actor
from zhiwan.city.people.roles import role_of
from zhiwan.kernel.guard.masking import HIDDEN, mask

PUBLIC, ALL = 1, 5


@dataclass(frozen=True)
class Shown:
    """A value as it may leave: `value` is the mask where it is masked."""

    value: Any
    masked: bool


def clearance() -> int:
    """The highest grade that the acting person sees whole."""
    actor = current_actor()
    if actor is None:
        return PUBLIC
    if actor.person.process:
        return ALL
    role = role_of(actor.person.role or "")
    return role.sees if role is not None else PUBLIC


def sees(grade: int) -> bool:
    """Whether values of this grade are seen whole."""
    return grade <= clearance()


def shown(value: Any, *, grade: int, kind: str | None = None) -> Shown:
    """A value of this grade and kind for the acting person. What is not there is not masked either."""
    if value is None or sees(grade):
        return Shown(value, False)
    return Shown(mask(kind, value) or HIDDEN, True)
