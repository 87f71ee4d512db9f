"""What the packs declare of properties, in the two forms intake needs: by name, and as columns to join with."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from zhiwan.kernel.packs.models import PropertyDecl
from zhiwan.kernel.packs.packset import PackSet

#: Devices whose type declares nothing may be off by this much.
SKEW = timedelta(minutes=5)
_SCHEMA: dict[str, pl.DataType] = {
    "type": pl.String(), "property": pl.String(), "derived": pl.Boolean(), "low": pl.Float64(), "high": pl.Float64(),
    "cadence": pl.Int64(), "frozen": pl.Int64(), "skew": pl.Int64(),
}  # fmt: skip


class Vocabulary:
    """Properties of all types."""

    def __init__(self, types: PackSet) -> None:
        self._declared = {
            (type_name, name): declared
            for type_name, one in types.types.items()
            for name, declared in one.properties.items()
        }
        self.limits = limits_of(self._declared)

    def property(self, type_name: str, name: str) -> PropertyDecl | None:
        """The declaration of Type.property, if there is one."""
        return self._declared.get((type_name, name))


def limits_of(declared: dict[tuple[str, str], PropertyDecl]) -> pl.DataFrame:
    """One row per property: what checks compare with."""
    rows = [
        (
            type_name, name, one.derived, *_range(one),
            _span(one.cadence), _span(one.frozen_after), _span(one.skew_after or SKEW),
        )
        for (type_name, name), one in declared.items()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _range(declared: PropertyDecl) -> tuple[float | None, float | None]:
    if declared.range is not None:
        return declared.range
    # The index of a choice that is not there is out of range.
    return (0.0, float(len(declared.choices) - 1)) if declared.choices else (None, None)


def _span(span: timedelta | None) -> int | None:
    return None if span is None else span // timedelta(microseconds=1)
