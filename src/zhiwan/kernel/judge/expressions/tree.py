"""What every node of an expression is: frozen, of a kind, with nodes below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

Kind = Literal["number", "boolean", "text", "time"]


@dataclass(frozen=True, slots=True)
class Expr:
    """Base of all nodes."""

    @property
    def kind(self) -> Kind:
        raise NotImplementedError

    def children(self) -> Iterator[Expr]:
        """The nodes directly below, in reading order."""
        for field in fields(self):
            value = getattr(self, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Expr):
                    yield part
                elif isinstance(part, tuple):
                    yield from (inner for inner in part if isinstance(inner, Expr))

    def walk(self) -> Iterator[Expr]:
        """This node and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Numeric(Expr):
    """Gives a number."""

    @property
    def kind(self) -> Kind:
        return "number"


@dataclass(frozen=True, slots=True)
class Truthful(Expr):
    """Gives a truth."""

    @property
    def kind(self) -> Kind:
        return "boolean"
