"""The tree of an expression: what it means, before any engine.

Every node is frozen and has a `kind`. A number is a double, a truth is true, false or unknown, and *missing* (NULL)
is a value of every kind. What each node does with missing values is said in its docstring and proved by the tables in
tests/spec; engines/reference.py is the law where a docstring is silent.

Overflow, division by zero and arguments outside a function's domain give missing: infinities and NaN never appear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

Kind = Literal["number", "boolean", "text", "time"]
WindowFunction = Literal["mean", "min", "max", "sum", "count"]


@dataclass(frozen=True, slots=True)
class Expr:
    """Base of all nodes."""

    @property
    def kind(self) -> Kind:
        raise NotImplementedError

    def children(self) -> Iterator[Expr]:
        """The nodes directly below, in reading order."""
        for field in fields(self):
            value = getattr(self, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Expr):
                    yield part
                elif isinstance(part, tuple):
                    yield from (inner for inner in part if isinstance(inner, Expr))

    def walk(self) -> Iterator[Expr]:
        """This node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class _Numeric(Expr):
    @property
    def kind(self) -> Kind:
        return "number"


@dataclass(frozen=True, slots=True)
class _Truthful(Expr):
    @property
    def kind(self) -> Kind:
        return "boolean"


# Literals


@dataclass(frozen=True, slots=True)
class Number(_Numeric):
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
class Truth(_Truthful):
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class Missing(Expr):
    """NULL, of the kind its place asks for."""

    of: Kind

    @property
    def kind(self) -> Kind:
        return self.of


# Leaves that a row fills. `key` is the name of the column every engine reads.


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
class Parameter(Leaf):
    """`:limit`: the value in force at the time of the reading; missing when none is. `id` is the global id."""

    id: str

    @property
    def kind(self) -> Kind:
        return "number"

    @property
    def key(self) -> str:
        return f":{self.id}"


@dataclass(frozen=True, slots=True)
class Previous(Leaf):
    """`previous`: the reading before this one by event time; missing for the first."""

    @property
    def kind(self) -> Kind:
        return "number"

    @property
    def key(self) -> str:
        return "previous"


@dataclass(frozen=True, slots=True)
class Latest(Leaf):
    """`latest(link.property)`: the newest value known of the linked entity (`self` is the entity itself)."""

    link: str
    prop: str

    @property
    def kind(self) -> Kind:
        return "number"

    @property
    def key(self) -> str:
        return f"latest({self.link}.{self.prop})"


@dataclass(frozen=True, slots=True)
class Window(Leaf):
    """`mean(value, '1h')`: over the readings of the watched property in the span that ends with this one.

    A reading exactly one span old is outside. Never missing: the reading itself is in its window.
    """

    function: WindowFunction
    seconds: int

    @property
    def kind(self) -> Kind:
        return "number"

    @property
    def key(self) -> str:
        return f"{self.function}(value, {self.seconds}s)"


# Arithmetic: missing when a side is missing or the result is no finite double.


@dataclass(frozen=True, slots=True)
class Negate(_Numeric):
    operand: Expr


@dataclass(frozen=True, slots=True)
class Arithmetic(_Numeric):
    left: Expr
    right: Expr
    sign: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Add(Arithmetic):
    sign = "+"


@dataclass(frozen=True, slots=True)
class Subtract(Arithmetic):
    sign = "-"


@dataclass(frozen=True, slots=True)
class Multiply(Arithmetic):
    sign = "*"


@dataclass(frozen=True, slots=True)
class Divide(Arithmetic):
    """Always of doubles: 1 / 2 is 0.5. By zero: missing."""

    sign = "/"


# Comparisons: unknown when a side is missing. Texts and truths know only = and <>.


@dataclass(frozen=True, slots=True)
class Comparison(_Truthful):
    left: Expr
    right: Expr
    sign: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Equal(Comparison):
    sign = "="


@dataclass(frozen=True, slots=True)
class NotEqual(Comparison):
    sign = "<>"


@dataclass(frozen=True, slots=True)
class Less(Comparison):
    sign = "<"


@dataclass(frozen=True, slots=True)
class LessEqual(Comparison):
    sign = "<="


@dataclass(frozen=True, slots=True)
class Greater(Comparison):
    sign = ">"


@dataclass(frozen=True, slots=True)
class GreaterEqual(Comparison):
    sign = ">="


@dataclass(frozen=True, slots=True)
class Between(_Truthful):
    """low <= operand AND operand <= high, with the three values of AND."""

    operand: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class InList(_Truthful):
    """Equal to one of the items, with the three values of OR."""

    operand: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class IsMissing(_Truthful):
    """IS NULL: true or false, never unknown."""

    operand: Expr


# Logic of three values


@dataclass(frozen=True, slots=True)
class Not(_Truthful):
    """Unknown stays unknown."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And(_Truthful):
    """False if a side is false, else unknown if a side is unknown."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Or(_Truthful):
    """True if a side is true, else unknown if a side is unknown."""

    left: Expr
    right: Expr


# Choices and functions


@dataclass(frozen=True, slots=True)
class Case(Expr):
    """The result of the first condition that is true; an unknown condition counts as not true."""

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr

    @property
    def kind(self) -> Kind:
        return self.otherwise.kind


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """A function of FUNCTIONS. All but coalesce are missing when an argument is missing."""

    function: str
    arguments: tuple[Expr, ...]

    @property
    def kind(self) -> Kind:
        return self.arguments[0].kind


#: Functions and how many arguments they take. round: half away from zero, to 0–9 decimals.
FUNCTIONS: dict[str, tuple[int, int]] = {
    "abs": (1, 1),
    "round": (1, 2),
    "floor": (1, 1),
    "ceil": (1, 1),
    "sqrt": (1, 1),
    "ln": (1, 1),
    "exp": (1, 1),
    "power": (2, 2),
    "least": (1, 8),
    "greatest": (1, 8),
    "coalesce": (1, 8),
}
WINDOW_FUNCTIONS: tuple[WindowFunction, ...] = ("mean", "min", "max", "sum", "count")


def leaves(*exprs: Expr | None) -> set[Leaf]:
    """All that a row must bring to evaluate the expressions."""
    return {node for expr in exprs if expr is not None for node in expr.walk() if isinstance(node, Leaf)}


def may_overflow(expr: Expr) -> bool:
    """Whether an engine that calculates with plain doubles can get an infinity or NaN here."""
    if isinstance(expr, Arithmetic):
        return True
    if isinstance(expr, Negate):
        return may_overflow(expr.operand)
    if isinstance(expr, Call):
        if expr.function in {"exp", "power", "ln", "sqrt"}:
            return True
        return expr.function == "round" and len(expr.arguments) == 2
    return False
