"""Where a page goes on to lies on this host, whatever the address or the form says."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.city.portal.views.base import local_url

HOST = "testserver"
HOSTILE = [
    "https://elsewhere.example/x", "//elsewhere.example/x", "///elsewhere.example/x", "/\\elsewhere.example",
    "\\\\elsewhere.example", "http:elsewhere.example", "javascript:alert(1)", "data:text/html,x", "\thttps://elsewhere.example",
    f"http://{HOST}//elsewhere.example/x", f"http://{HOST}/\\elsewhere.example", f"http://{HOST}@elsewhere.example/",
    f"http://elsewhere.example\\@{HOST}/", f"http://{HOST}:80@elsewhere.example/", "ftp://testserver/x", "", "   ",
]  # fmt: skip


def led_to(wished: str) -> str:
    """The host that a browser on /in would ask next."""
    request = RequestFactory().get("/in", headers={"host": HOST})
    # As browsers do: a backslash is a slash, and tabs and line ends are not there.
    address = local_url(request, wished).replace("\\", "/")
    address = "".join(letter for letter in address if letter not in "\t\r\n")
    return urlsplit(urljoin(f"http://{HOST}/in", address)).netloc


@pytest.mark.parametrize("wished", HOSTILE)
def test_no_wish_leads_elsewhere(wished: str) -> None:
    assert led_to(wished) == HOST


@given(
    st.lists(
        st.sampled_from(
            ["/", "\\", "//", ":", "@", "?", "#", "\t", "\n", "http", "https", HOST, "elsewhere.example", "x"]
        ),
        max_size=9,
    ).map("".join)
)
def test_nothing_made_of_these_parts_does(wished: str) -> None:
    assert led_to(wished) == HOST


@pytest.mark.parametrize(
    ("wished", "address"),
    [
        ("/alarms?state=open", "/alarms?state=open"),
        (f"http://{HOST}/cases", "/cases"),
        ("/entities/a#b", "/entities/a"),
    ],
)
def test_a_wish_of_this_site_is_kept(wished: str, address: str) -> None:
    assert local_url(RequestFactory().get("/in", headers={"host": HOST}), wished) == address


@pytest.mark.django_db
@pytest.mark.parametrize("wished", HOSTILE)
def test_the_choice_of_a_language_leads_nowhere_else(wished: str) -> None:
    answer = Client().post("/language", {"language": "en", "next": wished})
    assert urlsplit(urljoin(f"http://{HOST}/", answer.headers["Location"])).netloc == HOST
