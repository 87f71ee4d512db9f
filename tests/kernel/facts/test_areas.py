"""Area codes: the prefix is the hierarchy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.facts.areas import AreaCodeRefused, area_level, is_area, is_within, parent_area, town_of

GRID = "100000001002003"


@pytest.mark.parametrize(
    ("code", "level"),
    [("10", "province"), ("1000", "city"), ("100000", "district"), ("100000001", "town"), (GRID[:12], "village"),
     (GRID, "grid")],
)  # fmt: skip
def test_the_length_says_the_level(code: str, level: str) -> None:
    assert area_level(code) == level


@pytest.mark.parametrize(
    "code", ["", "1", "100000 01", "0100000", "010000", "10000a", "１０００００", "1" * 16, "100000\n"]
)
def test_other_texts_are_refused_with_a_next_step(code: str) -> None:
    assert not is_area(code)
    with pytest.raises(AreaCodeRefused) as refused:
        area_level(code)
    assert refused.value.as_dict()["hint"]


def test_the_town_of_a_grid_is_its_first_nine_digits() -> None:
    assert town_of(GRID) == town_of(GRID[:12]) == town_of(GRID[:9]) == "100000001"


def test_a_district_lies_in_no_town() -> None:
    with pytest.raises(AreaCodeRefused):
        town_of("100000")


@given(st.sampled_from([4, 6, 9, 12, 15]), st.integers(min_value=10**14, max_value=10**15 - 1))
def test_every_area_lies_in_its_parent(length: int, number: int) -> None:
    code = str(number)[:length]
    parent = parent_area(code)
    assert parent is not None
    assert is_area(parent)
    assert is_within(code, parent)
    assert not is_within(parent, code)


def test_a_province_has_no_parent() -> None:
    assert parent_area("31") is None
