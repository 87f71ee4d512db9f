"""To whom one tells a weakness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

URL = "/.well-known/security.txt"


@pytest.mark.django_db
def test_it_names_the_contact_and_expires_within_a_year(settings: Any) -> None:
    settings.ZHIWAN_SECURITY_CONTACT = "mailto:safe@example.org https://example.org/tell"
    answer = Client().get(URL)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = dict(line.split(": ", 1) for line in reversed(answer.content.decode().splitlines()))
    assert lines["Contact"] == "mailto:safe@example.org"
    expires = datetime.strptime(lines["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(days=30) < expires - datetime.now(UTC) < timedelta(days=365)
    assert lines["Canonical"] == f"http://testserver{URL}"


@pytest.mark.django_db
def test_without_a_contact_there_is_none(settings: Any) -> None:
    settings.ZHIWAN_SECURITY_CONTACT = ""
    assert Client().get(URL).status_code == 404
