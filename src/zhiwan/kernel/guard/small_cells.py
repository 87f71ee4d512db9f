"""Counts that leave the house: a cell so small that it points at people is not published, nor can it be worked out.

    publish({"east": 120, "west": 3, "north": 45, "south": 12}, total=180, least=10)
        → east 120, west withheld, north 45, south withheld (the next smallest), total 180

A single withheld cell could be had by subtracting the others from the total, so there are always two, and the two
together are at least `least` unless everything is withheld. A true zero may be shown: it speaks of nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEAST = 10  # domain practice: 5 to 10; the higher one is the default


@dataclass(frozen=True)
class Published:
    """`cells`: the count, or None where it is withheld. `total` None: it would give a cell away."""

    cells: dict[str, int | None]
    total: int | None
    least: int

    @property
    def withheld(self) -> int:
        return sum(one is None for one in self.cells.values())


def publish(counts: Mapping[str, int], *, least: int = LEAST, zeros: bool = True) -> Published:
    """The counts as they may be published. `zeros`: whether an empty cell may be seen to be empty."""
    if any(count < 0 for count in counts.values()):
        raise ValueError("a count is not negative")
    small = {name for name, count in counts.items() if count < least and not (zeros and count == 0)}
    rest = sorted((name for name in counts if name not in small), key=lambda name: (counts[name], name))
    hidden = set(small)
    # Partners come from cells that say something: zeros that may be shown protect nothing.
    partners = [name for name in rest if counts[name] > 0]
    while hidden and (len(hidden) < 2 or sum(counts[name] for name in hidden) < least) and partners:
        hidden.add(partners.pop(0))
    cells = {name: None if name in hidden else count for name, count in counts.items()}
    safe = not hidden or (len(hidden) > 1 and sum(counts[name] for name in hidden) >= least)
    return Published(cells, sum(counts.values()) if safe else None, least)
