"""Area codes: a prefix code is the whole hierarchy, so roll-up is a prefix and row security tests equality of `town`.

    6 digits  district      310116           (GB/T 2260)
    9 digits  town          310116001        (GB/T 10114)
    12 digits village       310116001002     (statistics bureau)
    15 digits grid          310116001002001  (GB/T 30428.1 unit grid)

Provinces (2) and cities (4) are read too, because a place's parent may be one.
"""

from __future__ import annotations

import re
from typing import Literal

from zhiwan.kernel.facts.errors import InputRefused

AreaLevel = Literal["province", "city", "district", "town", "village", "grid"]

_LEVELS: dict[int, AreaLevel] = {2: "province", 4: "city", 6: "district", 9: "town", 12: "village", 15: "grid"}
_LENGTHS = sorted(_LEVELS)
_DIGITS = re.compile(r"^[1-9][0-9]*$")


class AreaCodeRefused(InputRefused):
    """A text that is no area code."""

    code = "AREA-001"
    fact = 'area code "{given}" is not one'
    detail = "An area code has 2, 4, 6, 9, 12 or 15 digits and does not start with 0."
    hint = "Use 6 digits for a district, 9 for a town, 12 for a village, 15 for a unit grid; keep it as text."


def is_area(code: str) -> bool:
    """Whether the text has the shape of an area code (it may still name no area of the place)."""
    return len(code) in _LEVELS and _DIGITS.match(code) is not None and code.isascii()


def area_level(code: str) -> AreaLevel:
    """The level an area code speaks of. Raises AreaCodeRefused."""
    if not is_area(code):
        raise AreaCodeRefused(given=code)
    return _LEVELS[len(code)]


def town_of(code: str) -> str:
    """The town (first nine digits) of a town, village or grid. A district or wider area has none: refused."""
    if not is_area(code) or len(code) < 9:
        raise AreaCodeRefused(given=code)
    return code[:9]


def is_within(code: str, prefix: str) -> bool:
    """Whether the area lies in (or is) the area `prefix`."""
    return code.startswith(prefix)


def parent_area(code: str) -> str | None:
    """The next wider area; None for a province."""
    area_level(code)
    place = _LENGTHS.index(len(code))
    return code[: _LENGTHS[place - 1]] if place else None
