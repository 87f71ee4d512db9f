"""The law: what an expression means, in plain Python, one row at a time.

Slow on purpose: no vectors, no caches, no cleverness. The other engines are right when they agree with this one
(tests/kernel/judge/test_engines_agree.py), and the tables in tests/spec say what this one must do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from zhiwan.kernel.judge.expressions import nodes as n

Value = float | bool | str | datetime | None
Row = Mapping[str, Value]


def evaluate_reference(expr: n.Expr, row: Row) -> Value:
    """The value of the expression for one row: leaf key → value; None is missing or unknown."""
    match expr:
        case n.Number(literal) | n.Text(literal) | n.Truth(literal):
            return literal
        case n.Missing():
            return None
        case n.Leaf():
            return _clean(row.get(expr.key))
        case n.Negate(operand):
            return _number(lambda x: -x, _numbers(row, operand))
        case n.Arithmetic(left, right):
            return _number(_ARITHMETIC[expr.sign], _numbers(row, left, right))
        case n.Comparison(left, right):
            return _compare(expr.sign, evaluate_reference(left, row), evaluate_reference(right, row))
        case n.Between(operand, low, high):
            value = evaluate_reference(operand, row)
            above = _compare(">=", value, evaluate_reference(low, row))
            below = _compare("<=", value, evaluate_reference(high, row))
            return _and(above, below)
        case n.InList(operand, items):
            value = evaluate_reference(operand, row)
            found: bool | None = False
            for item in items:
                found = _or(found, _compare("=", value, evaluate_reference(item, row)))
            return found
        case n.IsMissing(operand):
            return evaluate_reference(operand, row) is None
        case n.Not(operand):
            truth = evaluate_truth(operand, row)
            return None if truth is None else not truth
        case n.And(left, right):
            return _and(evaluate_truth(left, row), evaluate_truth(right, row))
        case n.Or(left, right):
            return _or(evaluate_truth(left, row), evaluate_truth(right, row))
        case n.Case(branches, otherwise):
            for condition, result in branches:
                if evaluate_truth(condition, row) is True:
                    return evaluate_reference(result, row)
            return evaluate_reference(otherwise, row)
        case n.Call("coalesce", arguments):
            values = (evaluate_reference(argument, row) for argument in arguments)
            return next((value for value in values if value is not None), None)
        case n.Call(function, arguments):
            return _number(_FUNCTIONS[function], _numbers(row, *arguments))
    raise NotImplementedError(type(expr).__name__)


def evaluate_truth(expr: n.Expr, row: Row) -> bool | None:
    """As evaluate_reference, for an expression of kind boolean."""
    value = evaluate_reference(expr, row)
    return None if value is None else bool(value)


def evaluate_number(expr: n.Expr, row: Row) -> float | None:
    """As evaluate_reference, for an expression of kind number."""
    value = evaluate_reference(expr, row)
    return float(value) if isinstance(value, int | float) else None


def fold(expr: n.Expr) -> n.Expr:
    """The same expression with every part that needs no row replaced by its value."""
    if isinstance(expr, n.Number | n.Text | n.Truth | n.Missing):
        return expr
    if not n.leaves(expr):
        value = evaluate_reference(expr, {})
        if value is None:
            return n.Missing(expr.kind)
        if isinstance(value, bool):
            return n.Truth(value)
        return n.Text(value) if isinstance(value, str) else n.Number(evaluate_number(expr, {}) or 0.0)
    parts = {field.name: _folded(getattr(expr, field.name)) for field in fields(expr)}
    folded = replace(expr, **parts)
    folded = _decided(folded) if isinstance(folded, n.Case) else folded
    return folded if n.leaves(folded) else fold(folded)  # a decided choice may leave nothing that needs a row


def _decided(case: n.Case) -> n.Expr:
    """Without branches that are known not to be taken, and nothing after one that always is.

    Column engines would shrink a choice that depends on no row to one row.
    """
    branches = []
    otherwise = case.otherwise
    for condition, outcome in case.branches:
        if condition == n.Truth(True):
            otherwise = outcome
            break
        if condition not in (n.Truth(False), n.Missing("boolean")):
            branches.append((condition, outcome))
    return replace(case, branches=tuple(branches), otherwise=otherwise) if branches else otherwise


def _folded(part: Any) -> Any:
    if isinstance(part, n.Expr):
        return fold(part)
    return tuple(_folded(inner) for inner in part) if isinstance(part, tuple) else part


def round_half_away(value: float, decimals: int = 0) -> float:
    """2.5 → 3, -2.5 → -3. Decimals by multiplying, rounding and dividing, as all engines do."""
    if decimals:
        factor = 10.0**decimals
        return round_half_away(value * factor) / factor
    if math.isinf(value):
        return value
    whole = math.trunc(value)
    # The rest of a double is exact, so the half is met exactly too: 0.49999999999999994 stays below it.
    return float(whole + int(math.copysign(1, value))) if abs(value - whole) >= 0.5 else float(whole)


def power(base: float, exponent: float) -> float:
    """IEEE pow, but squares, cubes and roots by * and sqrt, which is what column engines do for them."""
    if exponent == 2:
        return base * base
    if exponent == 3:
        return base * base * base
    if exponent == 0.5:
        return math.sqrt(base)
    return math.pow(base, exponent)


def _clean(value: Value) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _numbers(row: Row, *operands: n.Expr) -> list[float | None]:
    return [evaluate_number(operand, row) for operand in operands]


def _number(calculate: Callable[..., float], operands: list[float | None]) -> float | None:
    if any(operand is None for operand in operands):
        return None
    try:
        result = calculate(*operands)
    except (ArithmeticError, ValueError):  # division by zero, overflow, outside the domain
        return None
    return result if math.isfinite(result) else None


def _compare(sign: str, left: Value, right: Value) -> bool | None:
    if left is None or right is None:
        return None
    return _COMPARISON[sign](left, right)


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
_COMPARISON: dict[str, Callable[..., bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "abs": abs,
    "round": lambda x, digits=0.0: round_half_away(x, int(digits)),
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "sqrt": math.sqrt,
    "ln": math.log,
    "exp": math.exp,
    "power": power,
    "least": lambda *xs: min(xs),
    "greatest": lambda *xs: max(xs),
}
