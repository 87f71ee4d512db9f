"""Coming in, and what a person chooses for himself."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_link, create_user
from zhiwan.city.people.models import AuditRecord, Holding, User
from zhiwan.city.portal.tickets import read
from zhiwan.city.watch.tests.surge import EAST, post

Enter = Callable[..., Client]
PASSWORD = "Correct-horse-7"


def account() -> User:
    with acting_system("cli"):
        return create_user(name="li", display_name="李", password=PASSWORD, posts=[post("desk"), post("east")])


def test_name_and_password_open_the_page_that_was_asked_for(city: object) -> None:
    account()
    client = Client()
    wrong = client.post("/in", {"username": "li", "password": "guess", "next": "/alarms"})
    assert wrong.status_code == 401
    assert "账号或密码不对" in wrong.content.decode()
    right = client.post("/in", {"username": "li", "password": PASSWORD, "next": "/alarms"})
    assert right.headers["Location"] == "/alarms"
    with acting_system("cli"):
        assert AuditRecord.objects.filter(action="people.sign_in", actor="李").exists()


def test_nobody_is_sent_to_another_site(city: object) -> None:
    account()
    for wished in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = Client().post("/in", {"username": "li", "password": PASSWORD, "next": wished})
        assert answer.headers["Location"] == "/", wished


def test_the_link_of_the_start_signs_in_once(city: object) -> None:
    user = account()
    with acting_system("cli"):
        token = create_link(user=user)
    assert Client().get(f"/in/{token}").headers["Location"] == "/"
    again = Client().get(f"/in/{token}")
    assert again.status_code == 403
    assert "PEOPLE-010" in again.content.decode()


def test_a_link_does_not_work_from_another_machine(city: object) -> None:
    user = account()
    with acting_system("cli"):
        token = create_link(user=user)
    assert Client(REMOTE_ADDR="192.0.2.7").get(f"/in/{token}").status_code == 403


def test_a_person_acts_through_the_post_chosen_and_no_other(city: object) -> None:
    client = Client()
    client.force_login(account())
    client.post("/post", {"post": "east"})
    assert read_ticket(client).towns == frozenset({EAST})
    client.post("/post", {"post": "chief"})  # not held
    assert read_ticket(client).towns == frozenset({EAST})
    client.post("/post", {"post": "desk"})
    assert read_ticket(client).towns is None


def read_ticket(client: Client):  # type: ignore[no-untyped-def]
    from urllib.parse import parse_qs, urlsplit

    from django.conf import settings

    address = client.get("/live/ticket").json()["address"]
    return read(settings.SECRET_KEY, parse_qs(urlsplit(address).query)["ticket"][0])


def test_language_and_theme_are_kept_and_the_browsers_own_language_is_not_asked(enter: Enter) -> None:
    desk = enter("desk")
    del desk.cookies["zhiwan_language"]
    page = desk.get("/alarms", headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="zh-hans" data-bs-theme="light">' in page
    desk.post("/language", {"language": "en", "next": "/alarms"})
    desk.post("/theme", {"theme": "dark"})
    page = desk.get("/alarms").content.decode()
    assert '<html lang="en" data-bs-theme="dark">' in page
    assert "Open" in page


def test_an_account_without_a_post_is_told_so(city: object) -> None:
    user = account()
    with acting_system("cli"):
        Holding.objects.all().delete()
    client = Client()
    client.force_login(user)
    answer = client.get("/")
    assert answer.status_code == 403
    assert "没有有效的岗位" in answer.content.decode()


def test_signing_out_ends_the_session(enter: Enter) -> None:
    desk = enter("desk")
    desk.post("/out")
    assert desk.get("/").headers["Location"] == "/in"
