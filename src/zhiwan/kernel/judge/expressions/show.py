"""The tree as text again, for evidence and for people; not for an engine."""

from __future__ import annotations

from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.packs.models import print_duration


def show(expr: n.Expr) -> str:
    """One line in the language of the pack, without brackets that the reader does not need."""
    match expr:
        case n.Number(value):
            return f"{value:g}"
        case n.Text(value):
            return f"'{value}'"
        case n.Truth(value):
            return "TRUE" if value else "FALSE"
        case n.Missing():
            return "NULL"
        case n.Window(function, seconds):
            from datetime import timedelta

            return f"{function}(value, '{print_duration(timedelta(seconds=seconds))}')"
        case n.Leaf():
            return expr.key
        case n.Negate(operand):
            return f"-{_inner(operand)}"
        case n.Arithmetic(left, right) | n.Comparison(left, right):
            return f"{_inner(left)} {expr.sign} {_inner(right)}"
        case n.Between(operand, low, high):
            return f"{_inner(operand)} BETWEEN {_inner(low)} AND {_inner(high)}"
        case n.InList(operand, items):
            return f"{_inner(operand)} IN ({', '.join(show(item) for item in items)})"
        case n.IsMissing(operand):
            return f"{_inner(operand)} IS NULL"
        case n.Not(operand):
            return f"NOT {_inner(operand)}"
        case n.And(left, right):
            return f"{_inner(left)} AND {_inner(right)}"
        case n.Or(left, right):
            return f"{_inner(left)} OR {_inner(right)}"
        case n.Case(branches, otherwise):
            whens = " ".join(f"WHEN {show(condition)} THEN {show(value)}" for condition, value in branches)
            return f"CASE {whens} ELSE {show(otherwise)} END"
        case n.Call(function, arguments):
            return f"{function}({', '.join(show(argument) for argument in arguments)})"
    raise NotImplementedError(type(expr).__name__)


def _inner(expr: n.Expr) -> str:
    simple = n.Number | n.Text | n.Truth | n.Missing | n.Leaf | n.Call | n.Case
    return show(expr) if isinstance(expr, simple) else f"({show(expr)})"
