"""Text to tree: names, kinds and units are checked here, and nothing of sqlglot's tree survives this module.

Everything that is not listed here is refused, with the position and what to write instead. The syntax itself is read
in syntax.py.
"""

from __future__ import annotations

import math
from typing import Any

from sqlglot import exp

from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.expressions.lookups import Lookups, closest, spoken
from zhiwan.kernel.judge.expressions.scope import Known, Scope
from zhiwan.kernel.judge.expressions.syntax import SUBSET, read_syntax
from zhiwan.kernel.judge.expressions.weight import MAX_WEIGHT, weight

MAX_DEPTH = 60

_ARITHMETIC: dict[type[exp.Expr], type[n.Arithmetic]] = {
    exp.Add: n.Add, exp.Sub: n.Subtract, exp.Mul: n.Multiply, exp.Div: n.Divide,
}  # fmt: skip
_COMPARISON: dict[type[exp.Expr], type[n.Comparison]] = {
    exp.EQ: n.Equal, exp.NEQ: n.NotEqual, exp.LT: n.Less, exp.LTE: n.LessEqual, exp.GT: n.Greater,
    exp.GTE: n.GreaterEqual,
}  # fmt: skip
_CLOCK_WORDS = {"hour", "minute", "day", "weekday", "month", "year", "date", "time", "now", "today", "extract"}
_NO_CLOCK = "There is no time of day here: compare a reading that follows it (daylight), or make one in a derive step."
_ORDERED = (n.Less, n.LessEqual, n.Greater, n.GreaterEqual)


def parse(text: str, scope: Scope, *, kind: n.Kind | None = None) -> n.Expr:
    """The tree of an expression whose names are in `scope`; `kind` says what it must give.

    Raises ExpressionRefused with the position of what is wrong.
    """
    return _Reader(text, scope).read(kind)


class _Reader(Lookups):
    """One walk over sqlglot's tree. A method returns the node and its unit (None: unknown or none)."""

    def __init__(self, text: str, scope: Scope) -> None:
        super().__init__(text, scope)
        self.unit: str | None = None
        self.depth = 0

    def read(self, kind: n.Kind | None) -> n.Expr:
        node, self.unit = self._node(read_syntax(self.text))
        if _is_bare_null(node):
            self._refuse(None, "it is NULL and nothing else", "Write what it should give.")
        if kind is not None:
            node = self._as_kind(node, kind, None)
        if weight(node) > MAX_WEIGHT:
            self._refuse(None, "it is too large", "Split the rule in two, or move the calculation to a derive step.")
        return node

    # One syntax node after another

    def _node(self, syntax: Any) -> tuple[n.Expr, str | None]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(syntax, "it is nested too deeply", "Split it.")
        try:
            return self._dispatch(syntax)
        finally:
            self.depth -= 1

    def _dispatch(self, syntax: Any) -> tuple[n.Expr, str | None]:
        kind = type(syntax)
        if kind in _ARITHMETIC:
            return self._arithmetic(syntax)
        if kind in _COMPARISON:
            self._only(syntax, "this", "expression")
            left, right = self._match(syntax, self._node(syntax.this), self._node(syntax.expression))
            made = _COMPARISON[kind](left, right)
            if left.kind in ("text", "boolean") and isinstance(made, _ORDERED):
                self._refuse(syntax, f"{left.kind}s have no order", "Compare them with = or <>, or use IN.")
            return made, None
        reader = getattr(self, f"_read_{kind.__name__.lower()}", None)
        if reader is None:
            self._refuse(syntax, f"{spoken(syntax)} is not part of the language", SUBSET)
        made_node: tuple[n.Expr, str | None] = reader(syntax)
        return made_node

    def _read_paren(self, syntax: exp.Paren) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this")
        return self._node(syntax.this)

    def _read_literal(self, syntax: exp.Literal) -> tuple[n.Expr, str | None]:
        if syntax.args.get("is_string"):
            return n.Text(str(syntax.this)), None
        value = float(syntax.this)
        if not math.isfinite(value):
            self._refuse(syntax, "the number is too large", "A number is a double, below 1.8e308.")
        return n.Number(value), None

    def _read_boolean(self, syntax: exp.Boolean) -> tuple[n.Expr, str | None]:
        return n.Truth(bool(syntax.this)), None

    def _read_null(self, syntax: exp.Null) -> tuple[n.Expr, str | None]:
        return n.Missing("number"), None

    def _read_column(self, syntax: exp.Column) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this")
        name = syntax.name
        if name == "previous" and self.scope.watched is not None:
            return n.Previous(), self.scope.watched.unit
        known = self.scope.names.get(name)
        if name in self.scope.private:
            advice = "Rules, messages and indicators are read by everyone who sees an alarm; leave it out."
            self._refuse(syntax, f'the field "{name}" is private: its kind or grade keeps it out of here', advice)
        if known is None:
            advice = self.scope.hints.get(name) or closest(name, self.scope.names)
            self._refuse(syntax, f'the name "{name}" is not known here', advice)
        return n.Name(name, known.kind), known.unit

    def _read_placeholder(self, syntax: exp.Placeholder) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this")
        return self._parameter(syntax, str(syntax.this or ""))

    def _read_dot(self, syntax: exp.Dot) -> tuple[n.Expr, str | None]:
        """`:flood.patrol`: a parameter of another pack."""
        self._only(syntax, "this", "expression")
        if not isinstance(syntax.this, exp.Placeholder) or not isinstance(syntax.expression, exp.Identifier):
            self._refuse(syntax, "a dot is only for :pack.parameter and link.property", SUBSET)
        return self._parameter(syntax, f"{syntax.this.this}.{syntax.expression.this}")

    def _parameter(self, syntax: exp.Expr, id: str) -> tuple[n.Expr, str | None]:
        known = self.scope.parameters.get(id)
        if known is None:
            self._refuse(syntax, f'the parameter ":{id}" is not known here', closest(id, self.scope.parameters))
        return n.Parameter(known.id or id), known.unit

    def _read_neg(self, syntax: exp.Neg) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this")
        node, unit = self._node(syntax.this)
        return n.Negate(self._as_kind(node, "number", syntax)), unit

    def _arithmetic(self, syntax: exp.Binary) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this", "expression", "typed", "safe")
        (left, left_unit), (right, right_unit) = self._node(syntax.this), self._node(syntax.expression)
        left, right = self._as_kind(left, "number", syntax), self._as_kind(right, "number", syntax)
        make = _ARITHMETIC[type(syntax)]
        if make in (n.Add, n.Subtract):
            return make(left, right), self._same_unit(syntax, left_unit, right_unit)
        # A factor without a unit keeps the other's; a product of units is not tracked further.
        if make is n.Multiply:
            plain = {None, "1"}
            unit = left_unit if right_unit in plain else right_unit if left_unit in plain else None
        else:
            unit = left_unit if right_unit in {None, "1"} and isinstance(right, n.Number) else None
        return make(left, right), unit

    def _read_between(self, syntax: exp.Between) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this", "low", "high")
        read = self._node(syntax.this)
        operand, low = self._match(syntax, read, self._node(syntax.args["low"]))
        operand, high = self._match(syntax, read, self._node(syntax.args["high"]))
        if operand.kind not in ("number", "time"):
            self._refuse(syntax, f"BETWEEN does not order {operand.kind}s", "Use it with numbers.")
        return n.Between(operand, low, high), None

    def _read_in(self, syntax: exp.In) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this", "expressions")
        items = []
        read = self._node(syntax.this)
        operand = read[0]
        for item in syntax.expressions:
            operand, made = self._match(syntax, read, self._node(item))
            items.append(made)
        if not items:
            self._refuse(syntax, "the list of IN is empty", "Write the values: IN (1, 2).")
        return n.InList(operand, tuple(items)), None

    def _read_is(self, syntax: exp.Is) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this", "expression")
        if not isinstance(syntax.expression, exp.Null):
            self._refuse(syntax, "IS is only for NULL", "Write x IS NULL, x IS NOT NULL, or x = TRUE.")
        node, _ = self._node(syntax.this)
        return n.IsMissing(node), None

    def _read_not(self, syntax: exp.Not) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this")
        node, _ = self._node(syntax.this)
        return n.Not(self._as_kind(node, "boolean", syntax)), None

    def _read_and(self, syntax: exp.And) -> tuple[n.Expr, str | None]:
        return n.And(*self._truths(syntax)), None

    def _read_or(self, syntax: exp.Or) -> tuple[n.Expr, str | None]:
        return n.Or(*self._truths(syntax)), None

    def _read_case(self, syntax: exp.Case) -> tuple[n.Expr, str | None]:
        self._only(syntax, "ifs", "default")
        conditions: list[n.Expr] = []
        results: list[n.Expr] = []
        unit: str | None = None
        for branch in syntax.args["ifs"]:
            self._only(branch, "this", "true")
            conditions.append(self._as_kind(self._node(branch.this)[0], "boolean", branch))
            result, result_unit = self._node(branch.args["true"])
            results.append(result)
            unit = self._same_unit(syntax, unit, result_unit)
        default = syntax.args.get("default")
        otherwise, default_unit = (n.Missing("number"), None) if default is None else self._node(default)
        results.append(otherwise)
        kind = self._common_kind(syntax, results)
        results = [self._as_kind(result, kind, syntax) for result in results]
        branches = tuple(zip(conditions, results[:-1], strict=True))
        return n.Case(branches, results[-1]), self._same_unit(syntax, unit, default_unit)

    def _read_anonymous(self, syntax: exp.Anonymous) -> tuple[n.Expr, str | None]:
        self._only(syntax, "this", "expressions")
        name = str(syntax.this).lower()
        if name == "latest":
            return self.latest(syntax)
        if name in n.WINDOW_FUNCTIONS:
            return self.window(syntax, name)
        if name not in n.FUNCTIONS:
            known = (*n.FUNCTIONS, *n.WINDOW_FUNCTIONS, "latest")
            advice = _NO_CLOCK if name in _CLOCK_WORDS else closest(name, known)
            self._refuse(syntax, f'the function "{name}" is not listed', advice)
        low, high = n.FUNCTIONS[name]
        if not low <= len(syntax.expressions) <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            self._refuse(syntax, f"{name} takes {wanted} argument(s)", f"Give {wanted}.")
        return self._call(syntax, name)

    def _call(self, syntax: exp.Anonymous, name: str) -> tuple[n.Expr, str | None]:
        read = [self._node(argument) for argument in syntax.expressions]
        made = [node for node, _ in read]
        kind: n.Kind = self._common_kind(syntax, made) if name == "coalesce" else "number"
        made = [self._as_kind(node, kind, syntax) for node in made]
        unit = read[0][1]
        if name == "round" and len(made) == 2:
            digits = made[1]
            if not isinstance(digits, n.Number) or digits.value not in range(10):
                self._refuse(syntax, "the decimals of round are not a number from 0 to 9", "Write round(x, 1).")
        elif name in {"least", "greatest", "coalesce"}:
            for _, other in read[1:]:
                unit = self._same_unit(syntax, unit, other)
        elif name in {"sqrt", "ln", "exp", "power"}:
            unit = None
        return n.Call(name, tuple(made)), unit

    # Kinds and units

    def _truths(self, syntax: exp.Connector) -> tuple[n.Expr, n.Expr]:
        self._only(syntax, "this", "expression")
        left, right = (self._as_kind(self._node(side)[0], "boolean", side) for side in (syntax.this, syntax.expression))
        return left, right

    def _match(
        self, syntax: exp.Expr, left: tuple[n.Expr, str | None], right: tuple[n.Expr, str | None]
    ) -> tuple[n.Expr, n.Expr]:
        """Two sides that are compared: the same kind and, where both are known, the same unit."""
        (a, a_unit), (b, b_unit) = left, right
        kind = self._common_kind(syntax, [a, b])
        self._same_unit(syntax, a_unit, b_unit)
        for name, text in ((a, b), (b, a)):
            self._one_of_its_choices(syntax, name, text)
        return self._as_kind(a, kind, syntax), self._as_kind(b, kind, syntax)

    def _one_of_its_choices(self, syntax: exp.Expr, name: n.Expr, text: n.Expr) -> None:
        """A choice that is compared with a word it cannot be would never fire, and nobody would know."""
        if not isinstance(name, n.Name) or not isinstance(text, n.Text):
            return
        known = self.scope.names.get(name.name, Known())
        if known.choices and text.value not in known.choices:
            advice = f"It is one of: {', '.join(known.choices)}."
            self._refuse(syntax, f'"{text.value}" is no choice of {name.name}', advice)

    def _common_kind(self, syntax: exp.Expr, made: list[n.Expr]) -> n.Kind:
        kinds = {node.kind for node in made if not _is_bare_null(node)}
        if len(kinds) > 1:
            self._refuse(syntax, f"{' and '.join(sorted(kinds))} do not mix", "Bring both sides to one kind.")
        if not kinds:
            self._refuse(syntax, "all sides are NULL", "Write a value on one side.")
        return kinds.pop()

    def _as_kind(self, node: n.Expr, kind: n.Kind, syntax: exp.Expr | None) -> n.Expr:
        if _is_bare_null(node):
            return n.Missing(kind)
        if node.kind != kind:
            self._refuse(syntax, f"this is a {node.kind}, a {kind} is needed", f"Write an expression of kind {kind}.")
        return node

    def _same_unit(self, syntax: exp.Expr, left: str | None, right: str | None) -> str | None:
        if left is None or right is None or left == right:
            return left or right
        advice = "Declare both in one unit, or convert with a factor: value / 100."
        self._refuse(syntax, f"{left} and {right} are different units", advice)


def _is_bare_null(node: n.Expr) -> bool:
    return isinstance(node, n.Missing)
