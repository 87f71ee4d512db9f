"""Who asks and what for: a person as one post, how far the post reaches, and the subject of the question.

Reach has two axes, as the rows have: *where* (town, or a zone: park, river reach, village, grid) and *whose* (line of
duty: class and owning body). Both must hold, or the row is the post's *own*: assigned to it, or of its own firm. The
database tests the same four columns (city/sql/scopes.py); a property test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reach:
    """Where and whose. `lines` None: of every class and body."""

    everywhere: bool = False
    towns: frozenset[str] = _NONE
    zones: frozenset[str] = _NONE
    lines: frozenset[str] | None = None
    own: frozenset[str] = _NONE
    #: Towns whose common rows (a warning for a town) concern the post, beside those for the whole district.
    near: frozenset[str] = _NONE
    #: A resident or a firm: of what is said to everyone, only what was published.
    public: bool = False

    def covers(self, subject: Subject) -> bool:
        """Whether the post may act on it, as far as where and whose go."""
        where = self.everywhere or subject.town in self.towns or not self.zones.isdisjoint(subject.zones)
        whose = self.lines is None or subject.line in self.lines
        return (where and whose) or not self.own.isdisjoint(subject.own)

    def sees(self, subject: Subject) -> bool:
        """Whether it may read it: also what is said to everyone of the district or of its towns."""
        if subject.common and (subject.told or not self.public):
            here = self.everywhere or subject.town == "" or subject.town in self.towns | self.near
            return here or self.covers(subject)
        return self.covers(subject)

    @property
    def whole(self) -> bool:
        """Every row of every class."""
        return self.everywhere and self.lines is None

    @property
    def kind(self) -> Literal["district", "line", "area", "scoped"]:
        """Which of the database's roles acts for it: the narrowest that says all of it."""
        if self.everywhere:
            return "district" if self.lines is None else "line"
        plain = not self.zones and self.lines is None and not self.own and not self.public
        return "area" if plain else "scoped"


NOWHERE = Reach()
EVERYWHERE = Reach(everywhere=True)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is acted on, as far as the guard must know it. An empty town belongs to the district as a whole."""

    town: str = ""
    zones: frozenset[str] = _NONE
    line: str = ""
    own: frozenset[str] = _NONE
    common: bool = False  # said to everyone there: warnings, responses
    told: bool = True  # and published
    grade: int = 1  # the highest grade that is read whole
    field: str = ""  # Type.field of what is revealed


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: an account through a post, or a process of the platform.

    `role` is the shipped role the post is like; `duty` the post's own word for it, which packs name.
    """

    account: str | None = None
    post: str | None = None
    role: str | None = None
    duty: str | None = None
    reach: Reach = field(default=NOWHERE)
    since: datetime | None = None
    until: datetime | None = None
    second_factor: bool = False
    process: bool = False


NOBODY = Person()


def line_of(class_: str, owner: str) -> str:
    """How a row says whose it is: `governance.flood@water-bureau`; an owner nobody named is empty."""
    return f"{class_}@{owner}"


def lines_of(classes: Iterable[str], owners: Iterable[str]) -> frozenset[str]:
    """Every line of these classes and these owners."""
    bodies = list(owners)
    return frozenset(line_of(one, body) for one in classes for body in bodies)
