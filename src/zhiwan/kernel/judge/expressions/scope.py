"""What an expression may name, and of which kind and unit each name is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zhiwan.kernel.judge.expressions.nodes import Kind


@dataclass(frozen=True, slots=True)
class Known:
    """A name's kind and unit (UCUM code); None when the unit is not known or there is none.

    `id` is a parameter's global id, where the name is short for it. `choices` are the only texts that can stand there.
    """

    kind: Kind = "number"
    unit: str | None = None
    id: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """The names around one expression.

    `watched` is the unit carrier of `value`: windows and `previous` exist only where it is given.
    `links` maps a link's name to the properties of the type it leads to; `self` is the entity's own type.
    `hints` says what to write instead of a name that an author may well expect here.
    """

    names: Mapping[str, Known] = field(default_factory=dict)
    parameters: Mapping[str, Known] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, Known]] = field(default_factory=dict)
    watched: Known | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    #: Fields that exist and may not be named: they are private.
    private: frozenset[str] = frozenset()
