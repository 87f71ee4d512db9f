"""How a personal value is shown to who may not see it whole, by kind: enough to tell two records apart, not to use one.

Lengths do not tell either: the stars of a kind are always as many. A value that does not look like its kind is hidden
whole, because what is in the wrong field is masked by the wrong rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

HIDDEN = "***"
#: Surnames of two characters that are common enough to be expected.
_DOUBLE = frozenset(
    ("欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "长孙", "司徒", "夏侯", "端木")
)
_MOBILE = re.compile(r"^(?:\+?86[- ]?)?(1[3-9]\d)[- ]?\d{4}[- ]?(\d{4})$")
_LANDLINE = re.compile(r"^(0\d{2,3})[- ]?\d{7,8}(?:-\d{1,6})?$")
_RESIDENT = re.compile(r"^(?:\d{15}|\d{17}[\dXx])$")
_DOCUMENT = re.compile(r"^([A-Za-z])[A-Za-z]?\d{6,10}$")
_CARD = re.compile(r"^(\d{4})\d{7,11}(\d{4})$")
_PLATE = re.compile(r"^([\u4e00-\u9fff][A-Z])[A-Z0-9]{3,4}([A-Z0-9]{2})$")
_EMAIL = re.compile(r"^([^@\s])[^@\s]*@([^@\s]+\.[^@\s]+)$")
_YEAR = re.compile(r"^(\d{4})(?:-\d{2}-\d{2}|\d{4}|年.*)$")
#: Down to the road or the village; house, building and room are hidden.
_ROAD = re.compile(r"^(.*?(?:村|居委会|大道|公路|路|街(?!道)|巷))")
_TOWN = re.compile(r"^(.*(?:镇|街道|乡|区))")


def mask(kind: str | None, value: Any) -> str:
    """The masked form of a value of this kind; without a kind, and for anything unexpected, nothing of it."""
    text = "" if value is None else str(value).strip()
    if not text:
        return ""
    masked = _BY_KIND.get(kind or "", _hidden)(text)
    return HIDDEN if masked == text else masked


def _hidden(text: str) -> str:
    return HIDDEN


def _name(text: str) -> str:
    """张**, 欧阳**; a name in letters keeps the first letter of each word: J*** S***."""
    if re.fullmatch(r"[\u3400-\u9fff·]{2,}", text):
        return f"{text[:2] if text[:2] in _DOUBLE and len(text) > 2 else text[0]}**"
    words = text.split()
    if len(words) > 1 and all(re.fullmatch(r"[^\W\d_][\w.'’-]*", word) and word.isascii() for word in words):
        return " ".join(f"{word[0]}***" for word in words)
    return HIDDEN


def _joined(pattern: re.Pattern[str], stars: str) -> Callable[[str], str]:
    def masked(text: str) -> str:
        found = pattern.match(text)
        return f"{found[1]}{stars}{found[2]}" if found else HIDDEN

    return masked


def _id_number(text: str) -> str:
    """310***********123X; other documents keep their first letter."""
    compact = text.replace(" ", "")
    if _RESIDENT.match(compact):
        return f"{compact[:3]}***********{compact[-4:]}"
    return f"{document[1]}*******" if (document := _DOCUMENT.match(compact)) else HIDDEN


def _phone(text: str) -> str:
    """138****1234; a landline keeps its area code."""
    if found := _MOBILE.match(text):
        return f"{found[1]}****{found[2]}"
    return f"{found[1]}-********" if (found := _LANDLINE.match(text)) else HIDDEN


def _address(text: str) -> str:
    """Down to the road or the village: 山阳镇向阳村***."""
    found = _ROAD.match(text) or _TOWN.match(text)
    return f"{found[1]}{HIDDEN}" if found else HIDDEN


def _bank_card(text: str) -> str:
    """6222 **** **** 1234"""
    found = _CARD.match(re.sub(r"[ -]", "", text))
    return f"{found[1]} **** **** {found[2]}" if found else HIDDEN


def _birth_date(text: str) -> str:
    """The year."""
    found = _YEAR.match(text)
    return f"{found[1]}-**-**" if found else HIDDEN


_BY_KIND: dict[str, Callable[[str], str]] = {
    "name": _name,
    "id_number": _id_number,
    "phone": _phone,
    "address": _address,
    "bank_card": _bank_card,
    "plate": _joined(_PLATE, "***"),
    "email": _joined(_EMAIL, "***@"),
    "birth_date": _birth_date,
}
KINDS = frozenset(_BY_KIND)
