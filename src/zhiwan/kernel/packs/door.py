"""The door: besides polars, numpy, math, datetime and dataclasses, all that a pack's code may import.

    from zhiwan.kernel.packs.door import InForce, Parameters, half_away, half_even

A derive function has the shape

    def hourly(readings: pl.DataFrame, parameters: Parameters) -> pl.DataFrame

`readings` is wide: entity, observed_at (UTC, microseconds) and one Float64 column per input, null where there is no
reading. The result has entity, observed_at and one Float64 column per output, null where there is no output. It must
be pure: the same rows give the same result, in any order and any split into batches.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import polars as pl

from zhiwan.kernel.packs.models import InForce

#: parameters("iaqi_breakpoints", at) → the value in force at that moment; ids as in derive.yml.
Parameters = Callable[[str, datetime | date], InForce]


def half_away(values: pl.Expr, decimals: int = 0) -> pl.Expr:
    """Rounds halves away from zero (2.5 → 3, -2.5 → -3), as expressions of rules do."""
    factor = 10.0**decimals
    return values.sign() * _divided((values.abs() * factor + 0.5).floor(), factor)


def half_even(values: pl.Expr, decimals: int = 0) -> pl.Expr:
    """Rounds halves to the even neighbour (GB/T 8170, 数值修约: 四舍六入五成双), which measuring standards ask for."""
    factor = 10.0**decimals
    scaled = values * factor
    low = scaled.floor()
    # 2.675 is held as 2.67499…: a tie is what lies within a billionth of one.
    tie = (scaled - low - 0.5).abs() < 1e-9
    up = pl.when(tie).then(low % 2 == 1).otherwise(scaled - low > 0.5)
    return _divided(low + up.cast(pl.Float64), factor)


def _divided(values: pl.Expr, factor: float) -> pl.Expr:
    """An exact division: by a literal, Polars multiplies with the reciprocal and 3.3 becomes 3.3000000000000003.

    A divisor that depends on the column (though it never differs) is divided by as written.
    """
    return values / pl.when(values.is_null()).then(None).otherwise(pl.lit(factor))


__all__ = ["InForce", "Parameters", "half_away", "half_even"]
