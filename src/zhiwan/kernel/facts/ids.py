"""Identifiers of people, organisations, phones, vehicles and entities, with their check digits.

A checked id is well formed; whether it was ever given to anyone only its register knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from zhiwan.kernel.facts.errors import InputRefused

ENTITY_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")

_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999, ISO 7064 MOD 11-2
_RESIDENT_CHECKS = "10X98765432"
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: without I O S V Z
_CREDIT_WEIGHTS = tuple(3**place % 31 for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)  # GB 11714-1997
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_MOBILE = re.compile(r"^1[3-9][0-9]{9}$")
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = re.compile(rf"^[{_PROVINCES}][A-Z][A-HJ-NP-Z0-9]{{5}}$")
# New energy: small vehicles carry the letter first, large ones last; I and O never occur.
_PLATE_GREEN = re.compile(rf"^[{_PROVINCES}][A-Z]([A-HJK][A-HJ-NP-Z0-9][0-9]{{4}}|[0-9]{{5}}[A-HJK])$")


class IdRefused(InputRefused):
    """An identifier that cannot be genuine. The value itself is never shown: it may be a person's."""

    code = "ID-001"
    fact = "this is no valid {kind}"
    detail = "{reason}"
    hint = "Compare it with the document; do not correct it by guessing."


@dataclass(frozen=True)
class ResidentId:
    """What a resident identity number (公民身份号码) says by itself."""

    number: str
    region: str
    born: date
    sex: Literal["male", "female"]


def _refuse(kind: str, reason: str) -> IdRefused:
    return IdRefused(kind=kind, reason=reason)


def resident_check_digit(first17: str) -> str:
    """The 18th character for the first 17 digits."""
    total = sum(int(digit) * weight for digit, weight in zip(first17, _RESIDENT_WEIGHTS, strict=True))
    return _RESIDENT_CHECKS[total % 11]


def check_resident_id(text: str, *, today: date | None = None) -> ResidentId:
    """Read an 18-character number. `today` refuses births in the future. Raises IdRefused.

    Foreigners' permanent residence cards (first digit 9) and residence permits for Hong Kong, Macau and Taiwan
    (81, 82, 83) use the same structure and check.
    """
    kind = "resident identity number"
    number = text.strip().upper()
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number, re.ASCII):
        raise _refuse(kind, "It has 17 digits and a check character (0-9 or X).")
    if resident_check_digit(number[:17]) != number[17]:
        raise _refuse(kind, "The check character does not fit the digits.")
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError as error:
        raise _refuse(kind, "Digits 7 to 14 are no date of birth.") from error
    if born.year < 1850 or (today is not None and born > today):
        raise _refuse(kind, "The date of birth cannot be that of a living person.")
    if number[14:17] == "000":
        raise _refuse(kind, "The serial 000 is never given.")
    return ResidentId(number, number[:6], born, "male" if int(number[16]) % 2 else "female")


def modern_resident_id(text: str) -> str:
    """A 15-digit number of before 1999 as 18 characters (all were born in 19xx). Raises IdRefused."""
    if not re.fullmatch(r"[1-9][0-9]{14}", text.strip(), re.ASCII):
        raise _refuse("old resident identity number", "It has 15 digits.")
    first17 = f"{text.strip()[:6]}19{text.strip()[6:]}"
    return check_resident_id(first17 + resident_check_digit(first17)).number


def organisation_check_digit(first8: str) -> str:
    """The ninth character of an organisation code (GB 11714)."""
    total = sum(_ALPHANUMERIC.index(char) * weight for char, weight in zip(first8, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def check_organisation_code(text: str) -> str:
    """A nine-character organisation code, with or without its hyphen. Returns it without. Raises IdRefused."""
    code = text.strip().upper().replace("-", "")
    if not re.fullmatch(r"[0-9A-Z]{8}[0-9X]", code, re.ASCII):
        raise _refuse("organisation code", "It has 8 digits or capitals and a check character.")
    if organisation_check_digit(code[:8]) != code[8]:
        raise _refuse("organisation code", "The check character does not fit.")
    return code


def credit_check_digit(first17: str) -> str:
    """The 18th character of a unified social credit code (GB 32100)."""
    total = sum(_CREDIT_ALPHABET.index(char) * weight for char, weight in zip(first17, _CREDIT_WEIGHTS, strict=True))
    return _CREDIT_ALPHABET[(31 - total % 31) % 31]


def check_credit_code(text: str) -> str:
    """A unified social credit code (统一社会信用代码), its inner organisation code included. Raises IdRefused."""
    kind = "unified social credit code"
    code = text.strip().upper()
    if len(code) != 18 or any(char not in _CREDIT_ALPHABET for char in code):
        raise _refuse(kind, "It has 18 digits or capitals; I, O, S, V and Z never occur.")
    if not code[2:8].isdigit():
        raise _refuse(kind, "Characters 3 to 8 are the digits of a region.")
    if credit_check_digit(code[:17]) != code[17]:
        raise _refuse(kind, "The check character does not fit.")
    if organisation_check_digit(code[8:16]) != code[16]:
        raise _refuse(kind, "The organisation code inside (characters 9 to 17) does not fit its check character.")
    return code


def is_mobile(text: str) -> bool:
    """A mainland mobile number: 11 digits from 13 to 19."""
    return _MOBILE.match(text) is not None


def is_plate(text: str) -> bool:
    """A number plate of a civil vehicle, blue (7 characters) or new energy (8)."""
    return _PLATE.match(text) is not None or _PLATE_GREEN.match(text) is not None


def is_entity_id(text: str) -> bool:
    """Whether a text may name an entity or a device: it stands in topics, addresses and file names."""
    return ENTITY_ID.fullmatch(text) is not None
