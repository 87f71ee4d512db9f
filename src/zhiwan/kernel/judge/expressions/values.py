"""The nodes at the ends of the tree: what the text itself says, and what a row brings.

A leaf has a `key`: the name of the column that every engine reads it from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zhiwan.kernel.judge.expressions.tree import Expr, Kind, Numeric, Truthful

WindowFunction = Literal["mean", "min", "max", "sum", "count"]
WINDOW_FUNCTIONS: tuple[WindowFunction, ...] = ("mean", "min", "max", "sum", "count")

# Literals


@dataclass(frozen=True, slots=True)
class Number(Numeric):
    """A finite double."""

    value: float


@dataclass(frozen=True, slots=True)
class Text(Expr):
    """A text in single quotes; only a result or one side of = and <>."""

    value: str

    @property
    def kind(self) -> Kind:
        return "text"


@dataclass(frozen=True, slots=True)
class Truth(Truthful):
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Missing(Expr):
    """NULL, of the kind its place asks for."""

    of: Kind

    @property
    def kind(self) -> Kind:
        return self.of


# Leaves that a row fills


@dataclass(frozen=True, slots=True)
class Leaf(Expr):
    """A value that comes with the row."""

    @property
    def key(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Name(Leaf):
    """`value`, `observed_at`, or a field of the entity."""

    name: str
    of: Kind

    @property
    def kind(self) -> Kind:
        return self.of

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Parameter(Leaf, Numeric):
    """`:limit`: the value in force at the time of the reading; missing when none is. `id` is the global id."""

    id: str

    @property
    def key(self) -> str:
        return f":{self.id}"


@dataclass(frozen=True, slots=True)
class Previous(Leaf, Numeric):
    """`previous`: the reading before this one by event time; missing for the first."""

    @property
    def key(self) -> str:
        return "previous"


@dataclass(frozen=True, slots=True)
class Latest(Leaf, Numeric):
    """`latest(link.property)`: the newest value known of the linked entity (`self` is the entity itself)."""

    link: str
    prop: str

    @property
    def key(self) -> str:
        return f"latest({self.link}.{self.prop})"


@dataclass(frozen=True, slots=True)
class Window(Leaf, Numeric):
    """`mean(value, '1h')`: over the readings of the watched property in the span that ends with this one.

    A reading exactly one span old is outside. Never missing: the reading itself is in its window.
    """

    function: WindowFunction
    seconds: int

    @property
    def key(self) -> str:
        return f"{self.function}(value, {self.seconds}s)"


def leaves(*exprs: Expr | None) -> set[Leaf]:
    """All that a row must bring to evaluate the expressions."""
    return {node for expr in exprs if expr is not None for node in expr.walk() if isinstance(node, Leaf)}
