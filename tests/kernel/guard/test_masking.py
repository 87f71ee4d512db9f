"""Masks: by kind as the trade does it, and never the value itself, whatever was typed into the field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.guard.masking import HIDDEN, KINDS, mask


@pytest.mark.mission("E3")
@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("name", "张三", "张**"),
        ("name", "张小明", "张**"),  # as many stars: the length of a name tells too
        ("name", "欧阳修文", "欧阳**"),
        ("name", "John Smith", "J*** S***"),
        ("name", "Cher", HIDDEN),
        ("name", "13812341234", HIDDEN),  # a phone in the field of a name
        ("id_number", "11010519491231002X", "110***********002X"),
        ("id_number", "110105491231002", "110***********1002"),
        ("id_number", "E12345678", "E*******"),
        ("id_number", "张三", HIDDEN),
        ("phone", "13812341234", "138****1234"),
        ("phone", "+86 138 1234 1234", "138****1234"),
        ("phone", "021-57941234", "021-********"),
        ("phone", "110", HIDDEN),
        ("address", "金沙大道2000号", "金沙大道***"),
        ("address", "山南镇向阳村3组3012号", "山南镇向阳村***"),
        ("address", "富民路461弄16号302室", "富民路***"),
        ("address", "天台", HIDDEN),
        ("bank_card", "6222 0212 3456 1234", "6222 **** **** 1234"),
        ("bank_card", "1234", HIDDEN),
        ("plate", "沪A12345", "沪A***45"),
        ("plate", "沪AD12345", "沪A***45"),
        ("email", "abc@example.cn", "a***@example.cn"),
        ("email", "abc", HIDDEN),
        ("birth_date", "1949-12-31", "1949-**-**"),
        ("birth_date", "19491231", "1949-**-**"),
        (None, "anything", HIDDEN),
        ("unheard_of", 3.5, HIDDEN),
        ("name", "", ""),
        ("name", None, ""),
    ],
)
def test_a_value_is_masked_as_its_kind_is(kind: str | None, value: object, shown: str) -> None:
    assert mask(kind, value) == shown


@given(kind=st.sampled_from(sorted(KINDS)) | st.none(), value=st.text(max_size=40))
def test_no_text_passes_unmasked(kind: str | None, value: str) -> None:
    shown = mask(kind, value)
    if value.strip():
        assert shown != value.strip()
        assert "*" in shown


PHONES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
IDS = st.from_regex(r"[1-9][0-9]{16}[0-9X]", fullmatch=True)
CARDS = st.from_regex(r"[1-9][0-9]{15,18}", fullmatch=True)


@pytest.mark.parametrize(
    ("kind", "values", "hidden"), [("phone", PHONES, 4), ("id_number", IDS, 11), ("bank_card", CARDS, 8)]
)
def test_at_least_so_many_digits_are_gone(kind: str, values: st.SearchStrategy[str], hidden: int) -> None:
    @given(values)
    def gone(value: str) -> None:
        shown = mask(kind, value)
        assert len(value) - sum(sign.isalnum() for sign in shown) >= hidden

    gone()
