"""The tree as Polars expressions, for streams: one with_columns judges a whole batch.

Polars calculates with plain doubles, so infinities and NaN are turned into null wherever they could be looked at
(`_finite`); sums and products may carry them one step further unseen, because only the end of the chain matters.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence

import polars as pl

from zhiwan.kernel.judge.engines.reference import fold, power
from zhiwan.kernel.judge.expressions import nodes as n

DTYPES: dict[n.Kind, pl.DataType] = {
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "text": pl.String(),
    "time": pl.Datetime("us", "UTC"),
}
_SIGNS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def to_polars(expr: n.Expr) -> pl.Expr:
    """The expression over columns named by leaf keys, of the types in DTYPES and without NaN or infinities."""
    folded = fold(expr)
    printed = _finite(folded)
    inner = [node for node in folded.walk() if isinstance(node, n.Case | n.Call) or n.may_overflow(node)]
    if not inner or isinstance(folded, n.Case) or n.may_overflow(folded):
        return printed
    # Polars 2.1 shrinks a choice whose condition is the same for all rows to one row, and then cannot widen a
    # comparison of it with a literal. A choice on the outside is widened: this one is always true.
    anchor = pl.col(min(leaf.key for leaf in n.leaves(folded)))
    return pl.when(anchor.is_null() | anchor.is_not_null()).then(printed)


def _finite(expr: n.Expr) -> pl.Expr:
    """The printed node, where an infinity or NaN would be seen: null instead."""
    printed = _print(expr)
    return pl.when(printed.is_finite()).then(printed) if n.may_overflow(expr) else printed


def _print(expr: n.Expr) -> pl.Expr:
    match expr:
        case n.Number(literal) | n.Text(literal) | n.Truth(literal):
            return pl.lit(literal, dtype=DTYPES[expr.kind])
        case n.Missing(kind):
            return pl.lit(None, dtype=DTYPES[kind])
        case n.Leaf():
            return pl.col(expr.key)
        case n.Negate(operand):
            return -_print(operand)
        case n.Divide(left, right):
            # x / infinity would be a harmless-looking 0: the divisor must be clean, the dividend need not.
            return _print(left) / _divisor(right)
        case n.Arithmetic(left, right):
            return _SIGNS[expr.sign](_print(left), _print(right))
        case n.Comparison(left, right):
            return _SIGNS[expr.sign](_finite(left), _finite(right))
        case n.Between(operand, low, high):
            value = _finite(operand)
            return (value >= _finite(low)) & (value <= _finite(high))
        case n.InList(operand, items):
            value = _finite(operand)
            return functools.reduce(operator.or_, [value == _finite(item) for item in items])
        case n.IsMissing(operand):
            return _finite(operand).is_null()
        case n.Not(operand):
            return ~_print(operand)
        case n.And(left, right):
            return _print(left) & _print(right)
        case n.Or(left, right):
            return _print(left) | _print(right)
        case n.Case(branches, otherwise):
            result = _finite(otherwise)
            for condition, outcome in reversed(branches):
                result = pl.when(_print(condition)).then(_finite(outcome)).otherwise(result)
            return result
        case n.Call():
            return _call(expr)
    raise NotImplementedError(type(expr).__name__)


def _divisor(expr: n.Expr) -> pl.Expr:
    """A divisor that Polars cannot take for one number: by one number it multiplies with the reciprocal, 1 ulp off."""
    if isinstance(expr, n.Leaf):
        return pl.col(expr.key)
    zeros = pl.int_range(pl.len()).cast(pl.Float64) * 0.0
    return _finite(expr) + zeros


def _call(expr: n.Call) -> pl.Expr:
    first, *rest = [_finite(argument) for argument in expr.arguments]
    match expr.function:
        case "abs":
            return first.abs()
        case "floor":
            return first.floor()
        case "ceil":
            return first.ceil()
        case "sqrt":
            return first.sqrt()
        case "ln":
            return first.log()
        case "exp":
            return first.exp()
        case "round":
            digits = expr.arguments[1] if len(expr.arguments) == 2 else n.Number(0.0)
            if not isinstance(digits, n.Number) or digits.value == 0:
                return first.round(0, mode="half_away_from_zero")
            factor = 10.0 ** int(digits.value)
            return (first * factor).round(0, mode="half_away_from_zero") / _divisor(n.Number(factor))
        case "power":
            return _power(first, rest[0])
        case "coalesce":
            return pl.coalesce(first, *rest)
        case "least" | "greatest":
            pick = pl.min_horizontal if expr.function == "least" else pl.max_horizontal
            missing = functools.reduce(operator.or_, [argument.is_null() for argument in (first, *rest)])
            return pl.when(~missing).then(pick(first, *rest))
    raise NotImplementedError(expr.function)


def _power(base: pl.Expr, exponent: pl.Expr) -> pl.Expr:
    """Row by row as the reference does it: Polars' own pow takes short cuts for one exponent or one row, 1 ulp off."""

    def powers(columns: Sequence[pl.Series]) -> pl.Series:
        bases, exponents = (column.cast(pl.Float64).to_list() for column in columns)
        length = max(len(bases), len(exponents))  # a literal comes as one row
        bases, exponents = (one * length if len(one) == 1 else one for one in (bases, exponents))
        return pl.Series([_power_of(a, b) for a, b in zip(bases, exponents, strict=True)], dtype=pl.Float64)

    return pl.map_batches([base, exponent], powers, return_dtype=pl.Float64)


def _power_of(base: float | None, exponent: float | None) -> float | None:
    if base is None or exponent is None:
        return None
    try:
        return power(base, exponent)
    except (ValueError, OverflowError, ZeroDivisionError):
        return None
