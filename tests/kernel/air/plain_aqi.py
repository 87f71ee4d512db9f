"""HJ 633 in plain Python, written apart from the pack and by exact fractions: the second opinion of the tests.

It shares neither code nor tables with packs/life/air: the numbers are typed in again, so that a slip in either shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import cache
from math import ceil

INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
CHANGED = date(2026, 3, 1)

_HOUR = {
    "pm25": "0 35 75 115 150 250 350 500",
    "pm10": "0 50 150 250 350 420 500 600",
    "so2": "0 150 500 650 800",
    "no2": "0 100 200 700 1200 2340 3090 3840",
    "co": "0 5 10 35 60 90 120 150",
    "o3": "0 160 200 300 400 800 1000 1200",
}
_DAY = _HOUR | {
    "so2": "0 50 150 475 800 1600 2100 2620",
    "no2": "0 40 80 180 280 565 750 940",
    "co": "0 2 4 14 24 36 48 60",
    "o3": "0 100 160 215 265 800",
}
_NEW = {"pm25": "0 35 60 115 150 250 350 500", "pm10": "0 50 120 250 350 420 500 600"}


def plain(given: Mapping[str, float | None], day: date, *, daily: bool = False) -> tuple[float | None, float | None]:
    """(AQI, primary as the pack numbers it: 0 none, 1–6 by order, 7 several) of one set of concentrations."""
    texts = dict(_DAY if daily else _HOUR)
    if day >= CHANGED:
        texts |= _NEW
    indices: dict[str, int] = {}
    for name, text in texts.items():
        value = given.get(name)
        if value is not None:
            indices[name] = iaqi(value, text, places="0.1" if name == "co" else "1")
    if not indices:
        return None, None
    aqi = max(indices.values())
    if len(indices) < 6 and day >= CHANGED and aqi <= 100:
        return None, None
    if aqi <= 50:
        return float(aqi), 0.0
    leading = [number for number, name in enumerate(_HOUR, start=1) if indices.get(name) == aqi]
    return float(aqi), float(leading[0] if len(leading) == 1 else 7)


@cache
def iaqi(value: float, text: str, *, places: str = "1") -> int:
    """One individual index."""
    points = [Fraction(one) for one in text.split()]
    exact = Fraction(Decimal(repr(value)).quantize(Decimal(places), rounding=ROUND_HALF_EVEN))
    for number in range(1, len(points)):
        low, high = points[number - 1], points[number]
        if exact <= high:
            return ceil(Fraction(INDEX[number] - INDEX[number - 1]) / (high - low) * (exact - low) + INDEX[number - 1])
    return INDEX[len(points) - 1]
