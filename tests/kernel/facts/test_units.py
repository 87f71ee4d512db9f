"""Units: conversions go there and back, and never between things that differ."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.facts.units import UNITS, UnitsDiffer, UnitUnknown, conversion, convert, find_unit, same_dimension


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "result"),
    [
        (330.0, "cm", "m", 3.3),
        (1200.0, "ug/m3", "mg/m3", 1.2),
        (1.2, "mg/m3", "µg/m³", 1200.0),
        (300.15, "K", "Cel", 27.0),
        (27.0, "Cel", "K", 300.15),
        (36.0, "km/h", "m/s", 10.0),
        (50.0, "%RH", "%", 50.0),
        (0.5, "1", "%", 50.0),
        (1013.25, "hPa", "kPa", 101.325),
        (250.0, "L/s", "m3/s", 0.25),
        (3.6e6, "J", "kW.h", 1.0),
        (60.0, "dB(A)", "dB[A]", 60.0),
    ],
)
def test_known_conversions(value: float, unit: str, wanted: str, result: float) -> None:
    assert convert(value, unit, wanted) == pytest.approx(result, rel=1e-12)


def test_a_level_in_centimetres_meets_a_limit_in_metres_exactly() -> None:
    assert convert(330.0, "cm", "m") == 3.3


@pytest.mark.parametrize("unit", ["", "furlong", "M", "dBW"])
def test_an_unknown_unit_is_refused(unit: str) -> None:
    with pytest.raises(UnitUnknown):
        find_unit(unit)


@pytest.mark.parametrize(
    ("unit", "wanted"), [("m", "s"), ("ug/m3", "%"), ("dB", "dB[A]"), ("W", "VA"), ("dB", "dB[mW]")]
)
def test_units_of_different_things_are_refused(unit: str, wanted: str) -> None:
    assert not same_dimension(unit, wanted)
    with pytest.raises(UnitsDiffer):
        conversion(unit, wanted)


_PAIRS = [(a, b) for a in UNITS for b in UNITS if same_dimension(a, b)]


@given(st.floats(-1e6, 1e6), st.sampled_from(_PAIRS))
def test_there_and_back_is_the_same_value(value: float, pair: tuple[str, str]) -> None:
    unit, wanted = pair
    assert convert(convert(value, unit, wanted), wanted, unit) == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.floats(-1e6, 1e6), st.sampled_from(_PAIRS))
def test_columns_convert_like_single_values(value: float, pair: tuple[str, str]) -> None:
    single = convert(value, *pair)
    assert convert(np.array([value]), *pair)[0] == single
    assert convert(pl.Series([value]), *pair)[0] == pytest.approx(single, rel=1e-15)
    assert pl.select(convert(pl.lit(value), *pair)).item() == pytest.approx(single, rel=1e-15)
