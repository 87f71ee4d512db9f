"""What time it is where one acts: ours in the live space, the story's own in a story.

now() -> datetime        clock_of(space) -> SpaceClock
Pages and actions ask here; what concerns the platform itself (sign-in, signs of life, the audit of accounts) does not.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from zhiwan.city.people.acting import LIVE, current_space
from zhiwan.city.registry.models import Space
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.facts.spaces import SpaceClock


class SpaceUnknown(InputRefused):
    """A space that is not there (any more)."""

    code = "REG-010"
    fact = 'there is no space "{space}"'
    detail = "It was dropped, or never made."
    hint = "`zhiwan story list` names those there are; the live space is called live."


def clock_of(space: str) -> SpaceClock:
    """The clock of a space. Raises SpaceUnknown."""
    if space == LIVE:
        return SpaceClock()
    rows = Space.objects.filter(id=space).values_list("clock", flat=True).first()
    if rows is None:
        raise SpaceUnknown(space=space)
    return SpaceClock.from_json(rows)


def now() -> datetime:
    """The time of the space in which this context acts."""
    real = timezone.now()
    space = current_space()
    return real if space == LIVE else clock_of(space).at(real)
