"""Check digits, on published examples and on any number made by their own rule."""

import string
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zhiwan.kernel.facts.ids import (
    IdRefused,
    check_credit_code,
    check_organisation_code,
    check_resident_id,
    credit_check_digit,
    is_entity_id,
    is_mobile,
    is_plate,
    modern_resident_id,
    organisation_check_digit,
    resident_check_digit,
)

EXAMPLE = "11010519491231002X"  # printed in GB 11643-1999
CREDIT = "11310000MB2F30661Y"  # a public body


def test_the_example_of_the_standard_is_read() -> None:
    read = check_resident_id("11010519491231002x")
    assert (read.number, read.region, read.born, read.sex) == (EXAMPLE, "110105", date(1949, 12, 31), "female")


@pytest.mark.parametrize(
    "text",
    ["110105194912310021", "1101051949123100", "", "11010519490230002X", EXAMPLE[:-1] + "Ⅹ", "01010519491231002X",
     "１１０１０５１９４９１２３１００２X"],
)  # fmt: skip
def test_a_wrong_resident_id_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(IdRefused) as refused:
        check_resident_id(text)
    assert not text or text not in str(refused.value)


def test_a_birth_in_the_future_is_refused_when_today_is_told() -> None:
    first17 = "11010520300101002"
    number = first17 + resident_check_digit(first17)
    assert check_resident_id(number).born == date(2030, 1, 1)
    with pytest.raises(IdRefused):
        check_resident_id(number, today=date(2026, 7, 1))


def test_an_old_number_becomes_a_modern_one() -> None:
    assert modern_resident_id("110105491231002") == EXAMPLE


_BIRTHS = st.dates(min_value=date(1900, 1, 1), max_value=date(2026, 1, 1))


@given(st.integers(110000, 659999), _BIRTHS, st.integers(1, 999), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(region: int, born: date, serial: int, place: int, shift: int) -> None:
    first17 = f"{region}{born:%Y%m%d}{serial:03d}"
    number = first17 + resident_check_digit(first17)
    assert check_resident_id(number).born == born
    changed = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    with pytest.raises(IdRefused):
        check_resident_id(changed)


def test_a_real_credit_code_holds_a_real_organisation_code() -> None:
    assert check_credit_code(CREDIT.lower()) == CREDIT
    assert check_organisation_code("MB2F3066-1") == "MB2F30661"


@pytest.mark.parametrize("text", ["", CREDIT[:-1], CREDIT[:-1] + "X", CREDIT.replace("M", "I"), "1131A000MB2F30661Y"])
def test_a_wrong_credit_code_is_refused(text: str) -> None:
    with pytest.raises(IdRefused):
        check_credit_code(text)


_LETTERS = "".join(set(string.ascii_uppercase + string.digits) - set("IOSVZ"))


@given(st.text(_LETTERS, min_size=8, max_size=8), st.integers(0, 16), st.sampled_from(_LETTERS))
def test_one_wrong_character_of_a_credit_code_is_always_found(body: str, place: int, other: str) -> None:
    check = organisation_check_digit(body)
    first17 = "91310000" + body + check
    code = first17 + credit_check_digit(first17)
    assert check_credit_code(code) == code
    assume(code[place] != other)
    with pytest.raises(IdRefused):
        check_credit_code(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize(("text", "good"), [("13812345678", True), ("12812345678", False), ("1381234567", False)])
def test_mobile_numbers(text: str, good: bool) -> None:
    assert is_mobile(text) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("沪A12345", True),
        ("沪AD12345", True),
        ("沪A12345D", True),
        ("沪A1234I", False),
        ("A12345", False),
        ("沪a12345", False),
    ],
)
def test_plates(text: str, good: bool) -> None:
    assert is_plate(text) is good


@pytest.mark.parametrize(
    ("text", "good"), [("a-1_B", True), ("", False), ("a/b", False), ("x" * 65, False), ("a\n", False)]
)
def test_entity_ids_are_safe_in_topics_and_addresses(text: str, good: bool) -> None:
    assert is_entity_id(text) is good
