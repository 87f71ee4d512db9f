"""The nodes that compute: arithmetic, comparisons, logic of three values, choices, functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zhiwan.kernel.judge.expressions.tree import Expr, Kind, Numeric, Truthful

# Arithmetic: missing when a side is missing or the result is no finite double.


@dataclass(frozen=True, slots=True)
class Negate(Numeric):
    operand: Expr


@dataclass(frozen=True, slots=True)
class Arithmetic(Numeric):
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
class Comparison(Truthful):
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
class Between(Truthful):
    """low <= operand AND operand <= high, with the three values of AND."""

    operand: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class InList(Truthful):
    """Equal to one of the items, with the three values of OR."""

    operand: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class IsMissing(Truthful):
    """IS NULL: true or false, never unknown."""

    operand: Expr


# Logic of three values


@dataclass(frozen=True, slots=True)
class Not(Truthful):
    """Unknown stays unknown."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And(Truthful):
    """False if a side is false, else unknown if a side is unknown."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Or(Truthful):
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
