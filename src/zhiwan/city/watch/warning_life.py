"""The way of a warning: which step is legal in which state, and what the guard is asked.

proposed ─┐
draft ────┴─ review → reviewed ─ sign → signed ─ publish → published ─ lift → lifted
                                                               └ change: a new draft that replaces it → changed
Besides, the person who drafted does not review (actions/warnings.py).
"""

from __future__ import annotations

from zhiwan.city.watch.models import WarningState as S

#: step → (action of the guard, states in which it is legal, may the kind's signing role do it)
MOVES: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "edit": ("warning.draft", (S.PROPOSED, S.DRAFT, S.REVIEWED), True),
    "review": ("warning.review", (S.PROPOSED, S.DRAFT), False),
    "reject": ("warning.reject", (S.PROPOSED, S.DRAFT, S.REVIEWED), True),
    "sign": ("warning.sign", (S.REVIEWED,), True),
    "publish": ("warning.publish", (S.SIGNED,), True),
    "change": ("warning.draft", (S.PUBLISHED,), True),
    "lift": ("warning.lift", (S.PUBLISHED,), True),
}
#: States of a warning that is on its way but not in force yet.
UNDER_WAY = (S.PROPOSED, S.DRAFT, S.REVIEWED, S.SIGNED)
