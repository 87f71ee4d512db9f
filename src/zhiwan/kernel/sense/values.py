"""From a raw value to the double that is kept: units converted, choices numbered, all else refused with a reason."""

from __future__ import annotations

import math
from typing import Any

from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.facts.units import convert
from zhiwan.kernel.packs.models import PropertyDecl
from zhiwan.kernel.sense.decoders.reading import NoNumber, NotFinite, Quantity
from zhiwan.kernel.sense.decoders.strict_json import show


class ValueRefused(ValueError):
    """A value that is no reading of its property; `code` is one of REASONS."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(detail)


def resolve(raw: Any, declared: PropertyDecl) -> float:
    """The value in the property's unit. Raises ValueRefused."""
    if isinstance(raw, Quantity):
        number = resolve(raw.value, declared)
        try:
            number = convert(number, raw.unit, declared.unit)
        except InputRefused as refused:
            raise ValueRefused("WRONG_UNIT", f"{raw.unit} → {declared.unit}") from refused
        if not math.isfinite(number):
            raise ValueRefused("NOT_FINITE", f"{show(raw.value)} {raw.unit}")
        return number
    if isinstance(raw, NotFinite):
        raise ValueRefused("NOT_FINITE", raw.text)
    if isinstance(raw, bool):
        if declared.unit == "1" and not declared.choices:
            return float(raw)
        raise ValueRefused("NOT_A_NUMBER", show(raw))
    if isinstance(raw, int | float):
        return float(raw) + 0.0  # -0.0 and 0.0 are one value
    if isinstance(raw, str):
        for index, choice in enumerate(declared.choices):
            if raw == choice.id:
                return float(index)
    raise ValueRefused("NOT_A_NUMBER", show(raw.raw if isinstance(raw, NoNumber) else raw))
