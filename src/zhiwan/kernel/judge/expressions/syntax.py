"""Text to sqlglot's syntax tree: one expression, no comments. None of sqlglot's SQL is ever run.

The dialect is stripped of all function knowledge, so that every call arrives in one shape and meets our own list.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser as BaseParser

from zhiwan.kernel.judge.errors import ExpressionRefused
from zhiwan.kernel.judge.expressions import nodes as n

MAX_LENGTH = 2_000
SUBSET = (
    "Use + - * /, comparisons (= <> < <= > >=), BETWEEN, IN (…), IS NULL, AND, OR, NOT, CASE WHEN and the functions "
    + ", ".join(n.FUNCTIONS)
    + "."
)


class _Language(Dialect):
    class Parser(BaseParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS = {"CASE": BaseParser.NO_PAREN_FUNCTION_PARSERS["CASE"]}  # noqa: RUF012


def read_syntax(text: str) -> exp.Expr:
    """The syntax tree of one expression. Raises ExpressionRefused."""
    if not text.strip():
        refuse(text, 0, "it is empty", "Write an expression.")
    if len(text) > MAX_LENGTH:
        refuse(text, MAX_LENGTH, f"it is longer than {MAX_LENGTH} characters", "Split it, or use a derive step.")
    try:
        for token in _Language().tokenize(text):
            if token.comments:
                refuse(text, token.start, "comments are not part of an expression", "Put the words in the YAML.")
            if token.text == ";":
                refuse(text, token.start, "there is more than one statement", "Write one expression, without ;.")
        parsed = sqlglot.parse(text, read=_Language)
    except SqlglotError as error:
        where = getattr(error, "errors", None) or [{}]
        refuse(text, (where[0].get("col") or 1) - 1, "this is not an expression", SUBSET, error)
    except RecursionError as error:
        refuse(text, 0, "it is nested too deeply", "Split it.", error)
    comment = re.search(r"--|/\*", re.sub(r"'[^']*'", lambda quoted: " " * len(quoted[0]), text))
    if comment:
        advice = "Put a space between two minus signs."
        refuse(text, comment.start(), "comments are not part of an expression", advice)
    if len(parsed) != 1 or parsed[0] is None:
        refuse(text, 0, "there is more than one statement", "Write one expression.")
    return parsed[0]


def refuse(text: str, position: int, problem: str, advice: str, cause: Exception | None = None) -> NoReturn:
    """Raises ExpressionRefused; a long text is shown by its beginning."""
    shown = text if len(text) <= 120 else text[:117] + "…"
    raise ExpressionRefused(text=shown, position=position, problem=problem, advice=advice) from cause
