"""Numbers as people read them: decimals of the declaration, units as written in the trade."""

from __future__ import annotations

import math

#: UCUM code → how it is written on a screen; codes that are not listed show as they are.
_WRITTEN = {
    "1": "", "ug/m3": "µg/m³", "mg/m3": "mg/m³", "g/m3": "g/m³", "m3/s": "m³/s", "m3/h": "m³/h", "m3": "m³", "m2": "m²",
    "km2": "km²", "Cel": "℃", "[degF]": "℉", "deg": "°", "dB[A]": "dB(A)", "[pH]": "pH", "[NTU]": "NTU", "[ppm]": "ppm",
    "[ppb]": "ppb", "W/m2": "W/m²", "m/s2": "m/s²", "kW.h": "kWh", "W.h": "Wh", "MW.h": "MWh", "har": "ha",
    "%[LEL]": "% LEL",
    "uS/cm": "µS/cm", "dB[mW]": "dBm",
}  # fmt: skip


def unit_text(code: str | None) -> str:
    """A UCUM code as people write it; the dimensionless unit is nothing."""
    return _WRITTEN.get(code or "1", code or "")


def shown(value: float | None, decimals: int | None = 2) -> str:
    """Fixed decimals; a dash for what is missing or no number."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{2 if decimals is None else decimals}f}"


def with_unit(value: float | None, code: str | None, decimals: int | None = 2) -> str:
    """3.30 m"""
    return f"{shown(value, decimals)} {unit_text(code)}".strip()
