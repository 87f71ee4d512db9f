"""The register of purposes: that of the shipped place is true, and a wrong one is told. Pages: tests/spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zhiwan.city import packs_loaded
from zhiwan.city.people.purposes import PurposeWrong, purpose_book
from zhiwan.city.people.roles import role_book
from zhiwan.city.portal.views.purposes import personal_fields
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.place import load_place

CHECKOUT = Path(__file__).parents[5]
SHIPPED, PACKS = next((CHECKOUT / "places").glob("*/purposes.yml")).parent, CHECKOUT / "packs"


def test_the_shipped_register_names_real_roles_and_fields_and_says_what_is_covered_by_none() -> None:
    known, named = set(personal_fields(load_packs([PACKS]))), set[str]()
    for one in load_place(SHIPPED).purposes:
        assert set(one.roles) <= set(role_book().roles), one.id
        assert set(one.fields) <= known, one.id
        named |= set(one.fields)
        assert one.verify, "a basis that a lawyer has looked at names its text"
    # Where complaints come from is a home (grade 4): nobody reads it whole, on purpose.
    assert known - named == {"DustMonitor.complaints"}


def test_a_purpose_of_a_role_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    shipped = load_place(SHIPPED)
    wrong = shipped.purposes[0].model_copy(update={"roles": ["duty_cheif"]})
    place = shipped.model_copy(update={"purposes": [wrong]})
    monkeypatch.setattr(packs_loaded, "place", lambda: place)
    settings.ZHIWAN_PLACE = SHIPPED
    with pytest.raises(PurposeWrong, match="duty_cheif"):
        purpose_book()
