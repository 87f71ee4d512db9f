"""The tree as DuckDB SQL, for history and for checking again (复核).

Printed from the tree only: identifiers are quoted, texts are escaped, numbers are doubles. DuckDB raises where doubles
leave a function's domain, so arguments are guarded; its LEAST and GREATEST skip NULL, ours do not.
"""

from __future__ import annotations

from zhiwan.kernel.judge.expressions import nodes as n

TYPES: dict[n.Kind, str] = {"number": "DOUBLE", "boolean": "BOOLEAN", "text": "VARCHAR", "time": "TIMESTAMPTZ"}


def to_duckdb(expr: n.Expr) -> str:
    """The expression over columns named by leaf keys. The text holds no other identifiers and needs no parameters."""
    return _finite(expr)


def quote(identifier: str) -> str:
    """An identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def _finite(expr: n.Expr) -> str:
    printed = _print(expr)
    return f"CASE WHEN isfinite({printed}) THEN {printed} END" if n.may_overflow(expr) else printed


def _print(expr: n.Expr) -> str:
    match expr:
        case n.Number(value):
            return _double(value)
        case n.Text(value):
            return "'" + value.replace("'", "''") + "'"
        case n.Truth(value):
            return "TRUE" if value else "FALSE"
        case n.Missing(kind):
            return f"CAST(NULL AS {TYPES[kind]})"
        case n.Leaf():
            return quote(expr.key)
        case n.Negate(operand):
            return f"(-{_print(operand)})"
        case n.Divide(left, right):
            return f"({_print(left)} / ({_finite(right)}))"
        case n.Arithmetic(left, right):
            return f"({_print(left)} {expr.sign} {_print(right)})"
        case n.Comparison(left, right):
            return f"(({_finite(left)}) {expr.sign} ({_finite(right)}))"
        case n.Between(operand, low, high):
            value = _finite(operand)
            return f"((({value}) >= ({_finite(low)})) AND (({value}) <= ({_finite(high)})))"
        case n.InList(operand, items):
            return f"(({_finite(operand)}) IN ({', '.join(f'({_finite(item)})' for item in items)}))"
        case n.IsMissing(operand):
            return f"(({_finite(operand)}) IS NULL)"
        case n.Not(operand):
            return f"(NOT {_print(operand)})"
        case n.And(left, right):
            return f"({_print(left)} AND {_print(right)})"
        case n.Or(left, right):
            return f"({_print(left)} OR {_print(right)})"
        case n.Case(branches, otherwise):
            whens = " ".join(f"WHEN {_print(condition)} THEN {_finite(value)}" for condition, value in branches)
            return f"(CASE {whens} ELSE {_finite(otherwise)} END)"
        case n.Call():
            return _call(expr)
    raise NotImplementedError(type(expr).__name__)


def _call(expr: n.Call) -> str:
    first, *rest = [f"({_finite(argument)})" for argument in expr.arguments]
    match expr.function:
        case "abs" | "floor" | "ceil" | "exp":
            return f"{expr.function}({first})"
        case "sqrt":
            return f"sqrt(CASE WHEN {first} >= 0 THEN {first} END)"
        case "ln":
            return f"ln(CASE WHEN {first} > 0 THEN {first} END)"
        case "round":
            digits = expr.arguments[1] if len(expr.arguments) == 2 else n.Number(0.0)
            if not isinstance(digits, n.Number) or digits.value == 0:
                return f"round({first})"
            factor = _double(10.0 ** int(digits.value))
            return f"(round({first} * {factor}) / {factor})"
        case "power":
            return _power(first, rest[0])
        case "coalesce":
            return f"coalesce({', '.join((first, *rest))})"
        case "least" | "greatest":
            whole = " AND ".join(f"({argument} IS NOT NULL)" for argument in (first, *rest))
            return f"(CASE WHEN {whole} THEN {expr.function}({', '.join((first, *rest))}) END)"
    raise NotImplementedError(expr.function)


def _power(base: str, exponent: str) -> str:
    root = f"sqrt(CASE WHEN {base} >= 0 THEN {base} END)"
    return (
        f"(CASE WHEN {exponent} = 2 THEN {base} * {base} WHEN {exponent} = 3 THEN {base} * {base} * {base} "
        f"WHEN {exponent} = 0.5 THEN {root} ELSE pow({base}, {exponent}) END)"
    )


def _double(value: float) -> str:
    """A literal that DuckDB reads as a double, not as a decimal."""
    text = repr(value)
    return f"({text})" if "e" in text else f"({text}e0)"
