"""Sessions: kept so that nobody can take one over, ended for good, listed for their owner, revoked."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.utils import timezone

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord, User
from zhiwan.city.people.tests.conftest import Staff, post_of
from zhiwan.city.people.ways_in import limits, sessions
from zhiwan.city.people.ways_in.errors import NotYours
from zhiwan.city.people.ways_in.models import Session
from zhiwan.city.people.ways_in.presence import of_a_person
from zhiwan.city.people.ways_in.session_store import SessionStore, kept

pytestmark = pytest.mark.django_db


def browser(user: User, agent: str = "Firefox/140.0", address: str = "192.0.2.1") -> str:
    """Sign a browser in; the key in its cookie."""
    request: HttpRequest = RequestFactory().get("/", headers={"User-Agent": agent}, REMOTE_ADDR=address)
    request.session = SessionStore()
    sessions.enter(request, user, how="password")
    request.session.save()
    return str(request.session.session_key)


def whose(key: str) -> tuple[str | None, str]:
    """The account of a cookie and, when it is over, why."""
    store = SessionStore(key)
    return store.get("_auth_user_id"), store.ended


def row(key: str) -> Session:
    return Session.objects.get(session_key=kept(key))


def test_a_copy_of_the_table_takes_over_no_session(staff: Staff) -> None:
    key = browser(staff(name="li"))
    texts = " ".join(str(value) for value in Session.objects.values_list().get())
    assert key not in texts
    assert whose(row(key).session_key)[0] is None, "what is kept is not what opens"


def test_a_session_says_who_where_and_with_what(staff: Staff) -> None:
    user = staff(name="li")
    key = browser(user, agent="Mozilla/5.0 Firefox/140.0", address="192.0.2.9")
    (one,) = sessions.of(user, timezone.now())
    assert (one.user, one.address, one.agent, one.how) == (user, "192.0.2.9", "Mozilla/5.0 Firefox/140.0", "password")
    assert whose(key) == (str(user.pk), "")
    with acting_system("cli"):
        signed = AuditRecord.objects.get(action="people.sign_in")
    assert (signed.actor, signed.address) == ("li", "192.0.2.9")


@pytest.mark.parametrize(("field", "limit", "why"), [("seen_at", "idle", "idle"), ("expire_date", "session", "old")])
def test_a_session_past_its_limit_opens_nothing(staff: Staff, field: str, limit: str, why: str) -> None:
    user, now = staff(name="li"), timezone.now()
    key = browser(user)
    ago = now - getattr(limits.at(now), limit) if field == "seen_at" else now
    Session.objects.update(**{field: ago})
    assert whose(key) == (None, why)
    assert sessions.of(user, now) == []


def test_one_device_is_signed_out_and_the_others_stay(staff: Staff) -> None:
    user = staff(name="li")
    phone, desk = browser(user), browser(user)
    with acting(post_of(user), user=user):
        sessions.end(user=user, session=row(phone).public_id)
    assert whose(phone) == (None, "own")
    assert whose(desk)[0] == str(user.pk)


def test_everything_but_this_browser_is_signed_out(staff: Staff) -> None:
    user, other = staff(name="li"), staff(name="wu")
    first, here, foreign = browser(user), browser(user), browser(other)
    assert sessions.end_all(user=user, spare=str(row(here).public_id)) == 1
    assert [whose(key)[0] is None for key in (first, here, foreign)] == [True, False, False]


def test_nobody_ends_the_session_of_another(staff: Staff) -> None:
    user, other = staff(name="li"), staff(name="wu")
    key = browser(user)
    with acting(post_of(other), user=other):
        for attempt in (user, other):  # in whose name does not matter
            with pytest.raises(NotYours):
                sessions.end(user=attempt, session=row(key).public_id)
    with pytest.raises(NotYours):
        sessions.end(user=user, session=uuid.uuid4())
    assert whose(key)[0] == str(user.pk)


def test_an_ended_session_is_not_brought_back_by_a_request_on_its_way(staff: Staff) -> None:
    user = staff(name="li")
    key = browser(user)
    late = SessionStore(key)
    late["post"] = "desk"
    sessions.end_all(user=user)
    with pytest.raises(UpdateError):
        late.save()
    assert whose(key) == (None, "own")


def test_the_security_administrator_revokes_and_a_desk_may_not(staff: Staff) -> None:
    user, security, desk = staff(name="li"), staff("security_admin"), staff("operator", name="wu")
    first, second = browser(user), browser(user)
    with acting(post_of(desk), user=desk), pytest.raises(ActionForbidden):
        sessions.revoke(user=user)
    with acting(post_of(security), user=security, second_factor=True):
        assert sessions.revoke(user=user, session=row(first).public_id) == 1
        assert (whose(first), whose(second)[0]) == ((None, "revoked"), str(user.pk))
        assert sessions.revoke(user=user) == 1
    with acting_system("cli"):
        assert AuditRecord.objects.filter(action="session.revoke", actor="security_admin").count() == 2


def test_only_an_administrator_shuts_an_administrator_out(staff: Staff) -> None:
    chief, security, system = staff("duty_chief"), staff("security_admin"), staff("system_admin")
    key = browser(security)
    with acting(post_of(chief), user=chief), pytest.raises(NotYours):
        sessions.revoke(user=security)
    assert whose(key)[0] is not None
    with acting(post_of(system), user=system, second_factor=True):
        sessions.revoke(user=security)
    assert whose(key)[0] is None


@pytest.mark.django_db(transaction=True)
def test_streams_are_cut_after_the_commit(staff: Staff) -> None:
    told: list[bytes] = []

    class Bus:
        def announce(self, payload: bytes) -> None:
            told.append(payload)

    user = staff(name="li")
    id = str(row(browser(user)).public_id)
    packs_loaded.use_bus(Bus())  # type: ignore[arg-type]
    try:
        sessions.end_all(user=user)
    finally:
        packs_loaded.use_bus(None)
    assert len(told) == 1
    assert id.encode() in told[0]
    assert b"signed_out" in told[0]


def test_a_persons_act_is_noted_once_in_a_while(staff: Staff) -> None:
    user = staff(name="li")
    one = row(browser(user))
    before, at = one.seen_at, timezone.now()
    sessions.seen(one, before + timedelta(seconds=29))
    assert Session.objects.get(pk=one.pk).seen_at == before
    sessions.seen(one, at + timedelta(minutes=1))
    assert Session.objects.get(pk=one.pk).seen_at == at + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("method", "headers", "counts"),
    [
        ("GET", {"Sec-Fetch-Mode": "navigate"}, True),
        ("GET", {"Sec-Fetch-Mode": "cors"}, False),  # the page fetches its ticket
        ("GET", {"Sec-Fetch-Mode": "same-origin", "HX-Request": "true"}, False),  # and its menu
        ("GET", {"Accept": "text/html"}, True),  # a browser that does not say
        ("GET", {"Accept": "application/json"}, False),
        ("POST", {"Sec-Fetch-Mode": "cors"}, True),
    ],
)
def test_what_a_page_fetches_by_itself_is_no_person(method: str, headers: dict[str, str], counts: bool) -> None:
    assert of_a_person(RequestFactory().generic(method, "/", headers=headers)) is counts


def test_a_wall_looks_for_hours_and_changes_nothing(staff: Staff, settings: Any) -> None:
    user = staff(name="li")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = browser(user)
    client.post("/me/wall")
    Session.objects.update(seen_at=timezone.now() - timedelta(hours=3))
    assert client.get("/me").status_code == 200
    refused = client.post("/me/devices/end")
    assert refused.status_code == 403
    assert "WAYS-014" in refused.content.decode()
    assert client.post("/out").status_code == 302
    assert client.get("/me").status_code == 302


def test_a_freshly_shown_second_factor_counts_for_some_minutes(staff: Staff) -> None:
    user, now = staff(name="li"), timezone.now()
    request = RequestFactory().get("/")
    request.session = SessionStore()
    sessions.enter(request, user, how="password")
    assert not sessions.second_is_fresh(request, now)
    sessions.confirm_second(request, now)
    fresh = timedelta(minutes=limits.at(now).second_fresh_minutes)
    assert sessions.second_is_fresh(request, now + fresh - timedelta(seconds=1))
    assert not sessions.second_is_fresh(request, now + fresh)
    request.session.save()
    assert row(str(request.session.session_key)).second_at == now


def test_a_cookie_nobody_knows_is_nobody() -> None:
    assert whose("x" * 32) == (None, "gone")
    assert settings.SESSION_ENGINE.endswith("ways_in.session_store")
