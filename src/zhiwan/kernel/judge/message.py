"""Sentences with expressions in braces: `{name} 水位 {value} 米，超警戒 {value - warning_level} 米`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Literal

from zhiwan.kernel.judge.engines.reference import Value, evaluate_reference, round_half_away
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.packs.models import PropertyDecl

Language = Literal["zh", "en"]
_BRACES = re.compile(r"\{([^{}]*)\}")
_WORDS: dict[Language, dict[object, str]] = {
    "zh": {None: "—", True: "是", False: "否"},
    "en": {None: "—", True: "yes", False: "no"},
}


@dataclass(frozen=True)
class Message:
    """A sentence of one language, compiled. Numbers get the decimals of the watched property."""

    parts: tuple[str | n.Expr, ...]
    language: Language
    property: PropertyDecl

    def fill(self, row: dict[str, Any], zone: tzinfo) -> str:
        """The sentence for one reading."""
        return "".join(part if isinstance(part, str) else self._shown(part, row, zone) for part in self.parts)

    def _shown(self, expr: n.Expr, row: dict[str, Any], zone: tzinfo) -> str:
        if self.language == "en" and expr == n.Name("name", "text") and row.get("name_en"):
            return str(row["name_en"])
        value = evaluate_reference(expr, row)
        if expr == n.Name("value", "number") and (chosen := self._choice(value)) is not None:
            return chosen
        if value is None or isinstance(value, bool):
            return _WORDS[self.language][value]
        if isinstance(value, datetime):
            return value.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        if isinstance(value, str):
            return value
        return f"{round_half_away(value, self.property.decimals):.{self.property.decimals}f}"

    def _choice(self, value: Value) -> str | None:
        choices = self.property.choices
        if not choices or not isinstance(value, int | float) or int(value) not in range(len(choices)):
            return None
        return getattr(choices[int(value)].title, self.language, None)


def compile_message(text: str, language: Language, property: PropertyDecl, parse: Callable[[str], n.Expr]) -> Message:
    """Splits a sentence at its braces. Raises ExpressionRefused for what stands inside."""
    pieces = _BRACES.split(text)
    parts = tuple(parse(piece) if i % 2 else piece for i, piece in enumerate(pieces) if piece or i % 2)
    return Message(parts, language, property)
