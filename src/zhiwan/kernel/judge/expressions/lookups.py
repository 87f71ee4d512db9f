"""Reads what looks beyond the row (latest values of linked entities, windows over the past), and refuses what is wrong.

Parts of the reader in parse.py: a refusal names the position and what to write instead.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, NoReturn

from sqlglot import exp

from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.expressions.scope import Scope
from zhiwan.kernel.judge.expressions.syntax import SUBSET, refuse
from zhiwan.kernel.packs.models import parse_duration


class Refusing:
    """The text that is read, the names it may use, and how it is refused."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope

    def _only(self, syntax: exp.Expr, *known: str) -> None:
        """A clause that we do not read must not be silently dropped."""
        for name, value in syntax.args.items():
            if name not in known and value not in (None, False, []):
                self._refuse(syntax, f"{spoken(syntax)} with {name} is not part of the language", SUBSET)

    def _refuse(self, syntax: exp.Expr | None, problem: str, advice: str, cause: Exception | None = None) -> NoReturn:
        starts = [] if syntax is None else [part.meta["start"] for part in syntax.walk() if "start" in part.meta]
        refuse(self.text, min(starts, default=0), problem, advice, cause)


class Lookups(Refusing):
    """`latest(link.property)` and `mean(value, '1h')`: the node and its unit."""

    def latest(self, syntax: exp.Anonymous) -> tuple[n.Expr, str | None]:
        argument = syntax.expressions[0] if len(syntax.expressions) == 1 else None
        if not isinstance(argument, exp.Column) or not argument.table or argument.args.get("db"):
            self._refuse(syntax, "latest needs link.property", "Write latest(upstream.level), or latest(self.level).")
        link, name = argument.table, argument.name
        if link not in self.scope.links:
            self._refuse(syntax, f'the link "{link}" is not known here', closest(link, self.scope.links))
        known = self.scope.links[link].get(name)
        if known is None:
            advice = closest(name, self.scope.links[link])
            self._refuse(syntax, f'"{link}" leads to no property "{name}"', advice)
        return n.Latest(link, name), known.unit

    def window(self, syntax: exp.Anonymous, name: str) -> tuple[n.Expr, str | None]:
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


def spoken(syntax: Any) -> str:
    """A syntax node as a person would call it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(syntax).__name__).lower()


def closest(name: str, known: Any) -> str:
    """The name that was probably meant, or all there are."""
    near = difflib.get_close_matches(name, list(known), n=1)
    if near:
        return f'Did you mean "{near[0]}"?'
    return "Known here: " + (", ".join(sorted(known)) or "nothing") + "."
