"""Lists of a first installation: what each holds, how its rows are checked, and what is kept of the good ones.

    KINDS["areas"].columns() · .examples() · .check(sheet) -> Checked · .take(drafts, at) -> Taken

Nothing here writes by itself: `take` calls the actions, which are guarded and audited.
"""

from __future__ import annotations

from zhiwan.city.registry.lists import accounts, bodies, devices, places
from zhiwan.city.registry.lists.kind import Kind, Taken

KINDS: dict[str, Kind] = {
    kind.id: kind
    for kind in (places.PLACE, places.AREAS, bodies.BODIES, bodies.POSTS, accounts.PEOPLE, devices.DEVICES)
}

__all__ = ["KINDS", "Kind", "Taken"]
