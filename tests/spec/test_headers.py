"""What every answer carries, whoever asked for whatever: pages, files, data, refusals, errors."""

from __future__ import annotations

import pytest
from django.test import Client
from permission_world import World
from test_permissions import rows, subjects, url_of, world  # noqa: F401 - the fixture of the city

PAGES = [name for name, row in rows().items() if row.words[0] == "GET"]


def assert_guarded(answer: object, url: str) -> None:
    headers = answer.headers  # type: ignore[attr-defined]
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; ") if " " in part)
    assert policy["script-src"] == "'self'", url
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'", url
    assert "unsafe-eval" not in headers["Content-Security-Policy"], url
    assert headers["X-Content-Type-Options"] == "nosniff", url
    assert headers["X-Frame-Options"] == "DENY", url
    assert headers["Referrer-Policy"] in ("same-origin", "no-referrer"), url
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin", url
    assert "Server" not in headers, url
    for cookie in answer.cookies.values():  # type: ignore[attr-defined]
        assert cookie["samesite"] in ("Lax", "Strict"), (url, cookie.key)


@pytest.mark.mission("E5")
@pytest.mark.parametrize("request_", PAGES)
def test_a_page_and_its_refusal_carry_them(world: World, request_: str) -> None:  # noqa: F811
    row = rows()[request_]
    url = url_of(row, subjects(world, row, "Chief")[0])
    for client in (world.clients["Chief"], world.clients["Res"], Client()):
        assert_guarded(client.get(url), url)


@pytest.mark.parametrize(
    "url", ["/there-is-none", "/in", "/healthz", "/metrics", "/api/v1/alarms", "/.well-known/security.txt"]
)
def test_so_does_what_needs_no_account(world: World, url: str) -> None:  # noqa: F811
    assert_guarded(Client().get(url), url)
