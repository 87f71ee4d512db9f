"""A page of rows with what a person needs to know about the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row")
Found = TypeVar("Found", bound=Model)
LARGEST = 500


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows of one page; pages count from 1."""

    rows: list[Row] = field(default_factory=list)
    total: int = 0
    page: int = 1
    size: int = 50

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def has_next(self) -> bool:
        return self.page < self.pages

    @property
    def has_previous(self) -> bool:
        return self.page > 1


def paged(found: QuerySet[Found], make: Callable[[Found], Row], page: int, size: int) -> Page[Row]:
    """One page of a query; a page below 1 is the first, a size above the largest is the largest."""
    size = max(1, min(size, LARGEST))
    page = max(1, page)
    start = (page - 1) * size
    return Page([make(one) for one in found[start : start + size]], found.count(), page, size)
