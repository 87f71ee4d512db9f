"""An account sends no more forms than a person types, an address no more than the people behind it; reading is free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse

from zhiwan.city.people.ways_in import limits


@pytest.mark.parametrize("by", ["writes_a_minute", "writes_of_an_address"])
def test_beyond_its_limit_a_form_is_refused_with_when_to_come_again(
    enter: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    declared = limits.at

    def fewer(at: datetime) -> limits.Limits:
        return replace(declared(at), **{by: 2})

    monkeypatch.setattr(limits, "at", fewer)
    desk, east = enter("desk"), enter("east")
    url = reverse("portal:language")
    for client in (desk, desk):
        assert client.post(url, {"language": "en"}).status_code == 302
    refused = desk.post(url, {"language": "en"})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    assert "WAYS-001" in refused.content.decode()
    assert desk.get(reverse("portal:alarms")).status_code == 200
    others = east.post(url, {"language": "en"})
    assert others.status_code == (302 if by == "writes_a_minute" else 429)
