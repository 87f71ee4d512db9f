"""Units of measure by their UCUM codes: which exist, which belong together, how one becomes another.

A unit is a dimension with a factor and an offset to that dimension's base: base = value * factor + offset. Only units
that sensors and standards of the trade use are listed; an unknown code is refused, never guessed. SenML
(RFC 8428 §12.1) and everyday spellings are names for the same units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, cast

from zhiwan.kernel.facts.errors import InputRefused

Number = TypeVar("Number")


class UnitUnknown(InputRefused):
    """A unit code that is not in the table."""

    code = "UNIT-001"
    fact = 'unit "{unit}" is not known'
    detail = "Units are written as UCUM codes."
    hint = "Write one of the listed codes, such as m, mm, ug/m3, mg/m3, Cel, %, m/s, kW, 1."


class UnitsDiffer(InputRefused):
    """A conversion between units that measure different things."""

    code = "UNIT-002"
    fact = '"{unit}" cannot be converted to "{wanted}"'
    detail = "{unit} measures {dimension}, {wanted} measures {wanted_dimension}."
    hint = "Send the value in a unit of {wanted_dimension}, or correct the unit that is declared."


@dataclass(frozen=True)
class Unit:
    """One unit: base value = value * factor + offset."""

    code: str
    dimension: str
    factor: float = 1.0
    offset: float = 0.0


# dimension: {code: factor, or (factor, offset)}. The first of each dimension is its base.
_TABLE: dict[str, dict[str, float | tuple[float, float]]] = {
    "ratio": {"1": 1.0, "%": 0.01, "[ppm]": 1e-6, "[ppb]": 1e-9},
    "length": {"m": 1.0, "cm": 0.01, "mm": 0.001, "km": 1000.0},
    "area": {"m2": 1.0, "km2": 1e6, "har": 1e4},
    "volume": {"m3": 1.0, "L": 0.001, "mL": 1e-6},
    "time": {"s": 1.0, "ms": 0.001, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "speed": {"m/s": 1.0, "km/h": 1 / 3.6, "mm/h": 1e-3 / 3600, "mm/d": 1e-3 / 86400},
    "acceleration": {"m/s2": 1.0, "[g]": 9.80665},
    "flow": {"m3/s": 1.0, "L/s": 0.001, "m3/h": 1 / 3600, "L/min": 0.001 / 60},
    "mass": {"kg": 1.0, "g": 0.001, "t": 1000.0},
    "mass concentration": {"mg/m3": 1.0, "ug/m3": 0.001, "g/m3": 1000.0, "mg/L": 1000.0, "ug/L": 1.0, "g/L": 1e6},
    "temperature": {"Cel": 1.0, "K": (1.0, -273.15), "[degF]": (5 / 9, -160 / 9)},
    "pressure": {"Pa": 1.0, "hPa": 100.0, "kPa": 1000.0, "MPa": 1e6, "bar": 1e5},
    "energy": {"J": 1.0, "kJ": 1e3, "MJ": 1e6, "GJ": 1e9, "W.h": 3600.0, "kW.h": 3.6e6, "MW.h": 3.6e9},
    "power": {"W": 1.0, "kW": 1e3, "MW": 1e6},
    "apparent power": {"VA": 1.0, "kVA": 1e3},
    "electric potential": {"V": 1.0, "mV": 0.001, "kV": 1e3},
    "electric current": {"A": 1.0, "mA": 0.001},
    "conductivity": {"S/m": 1.0, "uS/cm": 1e-4, "mS/cm": 0.1},
    "angle": {"deg": 1.0, "rad": 57.29577951308232},
    "frequency": {"Hz": 1.0, "kHz": 1e3, "/min": 1 / 60},
    "sound level": {"dB[A]": 1.0},
    "signal level": {"dB": 1.0},
    "signal power": {"dB[mW]": 1.0},
    "illuminance": {"lx": 1.0},
    "irradiance": {"W/m2": 1.0},
    "acidity": {"[pH]": 1.0},
    "turbidity": {"[NTU]": 1.0},
    "share of explosive limit": {"%[LEL]": 1.0},
}

# RFC 8428 names and what people write on data sheets, where they differ from UCUM.
_OTHER_NAMES = {
    "%RH": "%",
    "/": "1",
    "ratio": "1",
    "l": "L",
    "l/s": "L/s",
    "lux": "lx",
    "dBm": "dB[mW]",
    "pH": "[pH]",
    "Wh": "W.h",
    "kWh": "kW.h",
    "MWh": "MW.h",
    "℃": "Cel",
    "°C": "Cel",
    "µg/m3": "ug/m3",
    "μg/m3": "ug/m3",
    "µg/m³": "ug/m3",
    "μg/m³": "ug/m3",
    "ug/m³": "ug/m3",
    "mg/m³": "mg/m3",
    "m³/s": "m3/s",
    "m³": "m3",
    "m²": "m2",
    "dB(A)": "dB[A]",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    "NTU": "[NTU]",
    "%LEL": "%[LEL]",
    "count": "1",
}


def _units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for dimension, codes in _TABLE.items():
        for code, scale in codes.items():
            factor, offset = scale if isinstance(scale, tuple) else (scale, 0.0)
            units[code] = Unit(code, dimension, factor, offset)
    return units


UNITS: dict[str, Unit] = _units()


def find_unit(name: str) -> Unit:
    """The unit of a UCUM code, SenML name or common spelling. Raises UnitUnknown."""
    unit = UNITS.get(name) or UNITS.get(_OTHER_NAMES.get(name, ""))
    if unit is None:
        raise UnitUnknown(unit=name)
    return unit


def is_unit(name: str) -> bool:
    """Whether find_unit would find it."""
    return name in UNITS or name in _OTHER_NAMES


def same_dimension(one: str, other: str) -> bool:
    """Whether two units measure the same thing. Raises UnitUnknown for either."""
    return find_unit(one).dimension == find_unit(other).dimension


def conversion(unit: str, wanted: str) -> tuple[float, float]:
    """(factor, offset) such that wanted = value * factor + offset. Raises UnitUnknown, UnitsDiffer."""
    source, target = find_unit(unit), find_unit(wanted)
    if source.dimension != target.dimension:
        raise UnitsDiffer(unit=unit, wanted=wanted, dimension=source.dimension, wanted_dimension=target.dimension)
    if source == target:
        return 1.0, 0.0
    return source.factor / target.factor, (source.offset - target.offset) / target.factor


def convert(value: Number, unit: str, wanted: str) -> Number:
    """`value` in `unit` as a value in `wanted`; for floats and numpy arrays.

    Not for polars: there a division by a literal is a multiplication with its reciprocal, and no longer exact.
    """
    factor, offset = conversion(unit, wanted)
    if factor == 1.0 and offset == 0.0:
        return value
    # 330 cm is 3.3 m: dividing by 100 is exact where multiplying by 0.01 is not, and limits are compared with >=.
    given: Any = value
    scaled = given * factor if factor >= 1.0 else given / (1.0 / factor)
    return cast(Number, scaled + offset if offset else scaled)
