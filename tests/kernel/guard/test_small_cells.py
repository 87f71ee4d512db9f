"""Small cells: what is withheld cannot be worked out from what is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.guard.small_cells import publish

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 60), max_size=8)


@pytest.mark.mission("E3")
def test_a_small_cell_takes_the_next_smallest_with_it() -> None:
    told = publish({"east": 120, "west": 3, "north": 45, "south": 12})
    assert told.cells == {"east": 120, "west": None, "north": 45, "south": None}
    assert told.total == 180


def test_large_counts_are_published_as_they_are_and_a_true_zero_may_be_seen() -> None:
    assert publish({"a": 10, "b": 0}).cells == {"a": 10, "b": 0}
    assert publish({"a": 10, "b": 0, "c": 30}, zeros=False).cells == {"a": None, "b": None, "c": 30}


def test_a_cell_without_company_takes_the_total_with_it() -> None:
    assert publish({"a": 3}).total is None
    assert publish({"a": 3, "b": 0}).total is None
    assert publish({"a": 3, "b": 4}).total is None  # together still below the limit


def test_a_negative_count_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        publish({"a": -1})


@given(counts=COUNTS, least=st.integers(2, 20), zeros=st.booleans())
def test_no_small_count_can_be_had_by_subtraction(counts: dict[str, int], least: int, zeros: bool) -> None:
    told = publish(counts, least=least, zeros=zeros)
    shown = {name: count for name, count in told.cells.items() if count is not None}
    assert all(counts[name] == count for name, count in shown.items())
    assert all(count >= least or (zeros and count == 0) for count in shown.values())
    if told.total is not None and told.withheld:
        rest = told.total - sum(shown.values())  # all that anybody can work out
        assert told.withheld >= 2
        assert rest >= least


@given(counts=COUNTS)
def test_nothing_is_withheld_without_need(counts: dict[str, int]) -> None:
    if all(count >= 10 for count in counts.values()):
        assert publish(counts).withheld == 0
