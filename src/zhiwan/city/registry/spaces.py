"""Spaces beside the live one: which there are, and the step into one.

spaces() -> list[Space]          space_in_use(wished) -> str (live where the wished one is not there)
current() -> Space | None        the story in which this context acts; None: live
tell(space, **facts)             what its story page shows of it
close(space)                     it is being dropped: nobody steps in any more, no job begins

A space that is being dropped is not among them.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from zhiwan.city.people.acting import LIVE, current_space
from zhiwan.city.registry.models import Space

RUNNING, ENDED, DROPPING = "running", "ended", "dropping"  # states of a space


def spaces() -> list[Space]:
    """All of them, by id."""
    return list(Space.objects.exclude(state=DROPPING).order_by("id"))


def space_in_use(wished: str | None) -> str:
    """The wished space if there is one of that name, else live."""
    if not wished or wished == LIVE or len(wished) > 16:
        return LIVE
    return wished if is_open(wished) else LIVE


def is_open(space: str) -> bool:
    """Whether one may act in it: it is there and not being dropped."""
    return space == LIVE or Space.objects.filter(id=space).exclude(state=DROPPING).exists()


def current() -> Space | None:
    """The space in which this context acts, if it is not the live one."""
    space = current_space()
    return None if space == LIVE else Space.objects.filter(id=space).first()


def close(space: str) -> bool:
    """From now on nobody steps into it; False where it is not there. Only who drops it calls this."""
    return bool(Space.objects.filter(id=space).update(state=DROPPING))


@transaction.atomic
def tell(space: str, **facts: Any) -> None:
    """Keep what a story tells of itself. Only the process that plays it calls this."""
    found = Space.objects.select_for_update().get(id=space)
    found.told |= facts
    found.save(update_fields=["told"])
