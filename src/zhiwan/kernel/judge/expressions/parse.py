"""Text to tree: names, kinds and units are checked here, and nothing of sqlglot's tree survives this module.

Everything that is not listed here is refused, with the position and what to write instead. The syntax itself is read
in syntax.py.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Any, NoReturn

from sqlglot import exp

from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.expressions.scope import Scope
from zhiwan.kernel.judge.expressions.syntax import SUBSET, read_syntax, refuse
from zhiwan.kernel.judge.expressions.weight import MAX_WEIGHT, weight
from zhiwan.kernel.packs.models import parse_duration

MAX_DEPTH = 60

_ARITHMETIC: dict[type[exp.Expr], type[n.Arithmetic]] = {
    exp.Add: n.Add, exp.Sub: n.Subtract, exp.Mul: n.Multiply, exp.Div: n.Divide,
}  # fmt: skip
_COMPARISON: dict[type[exp.Expr], type[n.Comparison]] = {
    exp.EQ: n.Equal, exp.NEQ: n.NotEqual, exp.LT: n.Less, exp.LTE: n.LessEqual, exp.GT: n.Greater,
    exp.GTE: n.GreaterEqual,
}  # fmt: skip
_ORDERED = (n.Less, n.LessEqual, n.Greater, n.GreaterEqual)


def parse(text: str, scope: Scope, *, kind: n.Kind | None = None) -> n.Expr:
    """The tree of an expression whose names are in `scope`; `kind` says what it must give.

    Raises ExpressionRefused with the position of what is wrong.
    """
    return _Reader(text, scope).read(kind)


class _Reader:
    """One walk over sqlglot's tree. A method returns the node and its unit (None: unknown or none)."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope
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
            self._refuse(syntax, f"{_spoken(syntax)} is not part of the language", SUBSET)
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
            self._refuse(syntax, f'the name "{name}" is not known here', _closest(name, self.scope.names))
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
            self._refuse(syntax, f'the parameter ":{id}" is not known here', _closest(id, self.scope.parameters))
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
            return self._latest(syntax)
        if name in n.WINDOW_FUNCTIONS:
            return self._window(syntax, name)
        if name not in n.FUNCTIONS:
            known = (*n.FUNCTIONS, *n.WINDOW_FUNCTIONS, "latest")
            self._refuse(syntax, f'the function "{name}" is not listed', _closest(name, known))
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

    def _latest(self, syntax: exp.Anonymous) -> tuple[n.Expr, str | None]:
        argument = syntax.expressions[0] if len(syntax.expressions) == 1 else None
        if not isinstance(argument, exp.Column) or not argument.table or argument.args.get("db"):
            self._refuse(syntax, "latest needs link.property", "Write latest(upstream.level), or latest(self.level).")
        link, name = argument.table, argument.name
        if link not in self.scope.links:
            self._refuse(syntax, f'the link "{link}" is not known here', _closest(link, self.scope.links))
        known = self.scope.links[link].get(name)
        if known is None:
            advice = _closest(name, self.scope.links[link])
            self._refuse(syntax, f'"{link}" leads to no property "{name}"', advice)
        return n.Latest(link, name), known.unit

    def _window(self, syntax: exp.Anonymous, name: str) -> tuple[n.Expr, str | None]:
        advice = f"Write {name}(value, '1h'); spans are 30s, 10min, 2h, 1d."
        if self.scope.watched is None:
            self._refuse(syntax, "there is no watched value here to look back on", "Use a derive step.")
        arguments = syntax.expressions
        if len(arguments) != 2 or not isinstance(arguments[0], exp.Column) or arguments[0].sql() != "value":
            self._refuse(syntax, f"{name} looks back on the watched value over a span", advice)
        if not isinstance(arguments[1], exp.Literal) or not arguments[1].args.get("is_string"):
            self._refuse(syntax, f"the span of {name} is not a text", advice)
        try:
            seconds = int(parse_duration(str(arguments[1].this)).total_seconds())
        except (ValueError, OverflowError) as error:
            self._refuse(syntax, f'"{arguments[1].this}" is no span', advice, error)
        if not 1 <= seconds <= 31 * 86_400:
            self._refuse(syntax, "the span is not between 1 s and 31 d", "Use the history of the lake beyond a month.")
        function: Any = name
        return n.Window(function, seconds), None if name == "count" else self.scope.watched.unit

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
        return self._as_kind(a, kind, syntax), self._as_kind(b, kind, syntax)

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

    # Refusals

    def _only(self, syntax: exp.Expr, *known: str) -> None:
        """A clause that we do not read must not be silently dropped."""
        for name, value in syntax.args.items():
            if name not in known and value not in (None, False, []):
                self._refuse(syntax, f"{_spoken(syntax)} with {name} is not part of the language", SUBSET)

    def _refuse(self, syntax: exp.Expr | None, problem: str, advice: str, cause: Exception | None = None) -> NoReturn:
        starts = [] if syntax is None else [part.meta["start"] for part in syntax.walk() if "start" in part.meta]
        refuse(self.text, min(starts, default=0), problem, advice, cause)


def _is_bare_null(node: n.Expr) -> bool:
    return isinstance(node, n.Missing)


def _spoken(syntax: Any) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(syntax).__name__).lower()


def _closest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    if near:
        return f'Did you mean "{near[0]}"?'
    return "Known here: " + (", ".join(sorted(known)) or "nothing") + "."
