"""Coming in again after losing password or phone: by another administrator's one-time link, never by a default."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from zhiwan.city.people import actions
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord, User
from zhiwan.city.people.tests.conftest import PASSWORD, Staff, post_of
from zhiwan.city.people.tests.test_passwords import attempt
from zhiwan.city.people.tests.test_second_factor import enrol
from zhiwan.city.people.tests.test_sessions import browser, whose
from zhiwan.city.people.ways_in import entering, limits, recovery, second_factor
from zhiwan.city.people.ways_in.errors import NotYours

pytestmark = pytest.mark.django_db


def give(by: User, user: User, *, without_second: bool = False) -> str:
    with acting(post_of(by), user=by, second_factor=True):
        return recovery.give_link(user=user, without_second=without_second, anywhere=True)


def open_(token: str, minutes: float = 0) -> User:
    at = timezone.now() + timedelta(minutes=minutes)
    link = actions.take_link(token=token, address="192.0.2.7", at=at)
    recovery.begin(link, at)
    return link.user


def test_a_recovery_link_asks_for_a_new_password_and_ends_what_was_open(staff: Staff) -> None:
    user, security = staff(name="li"), staff("security_admin")
    key = browser(user)
    token = give(security, user)
    assert whose(key)[0] is not None, "asked for in error it must harm nobody"
    assert open_(token) == user
    assert whose(key) == (None, "recovery")
    assert entering.steps(user, how="recovery", at=timezone.now()) == ("password",)
    with pytest.raises(actions.LinkRefused):
        open_(token)


def test_it_ends_after_its_minutes_and_with_the_next_one(staff: Staff) -> None:
    user, security = staff(name="li"), staff("security_admin")
    minutes = limits.at(timezone.now()).recovery_minutes
    old, new = give(security, user), give(security, user)
    for token, late in ((old, 0), (new, minutes + 1)):
        with pytest.raises(actions.LinkRefused):
            open_(token, late)
    open_(new, minutes - 1)


def test_the_second_factor_is_taken_away_only_when_the_administrator_says_so(staff: Staff) -> None:
    user, security = staff("data_steward"), staff("security_admin")
    enrol(user)
    open_(give(security, user))
    assert entering.steps(user, how="recovery", at=timezone.now()) == ("second", "password")
    open_(give(security, user, without_second=True))
    assert not second_factor.enrolled(user)
    assert entering.steps(user, how="recovery", at=timezone.now()) == ("password", "enrol")


def test_nobody_recovers_himself_nor_a_desk_an_administrator(staff: Staff) -> None:
    security, chief, desk = staff("security_admin"), staff("duty_chief"), staff("operator")
    with pytest.raises(NotYours):
        give(security, security)
    with pytest.raises(NotYours):
        give(chief, security)
    with pytest.raises(ActionForbidden):
        give(desk, chief)
    with acting(post_of(chief), user=chief), pytest.raises(NotYours):
        actions.create_link(user=security)
    give(chief, desk)


def test_unlocking_forgives_wrong_tries(staff: Staff) -> None:
    user, security = staff(name="li"), staff("security_admin")
    for _ in range(5):
        attempt("li", "guess")
    assert attempt("li", PASSWORD) == "WAYS-002"
    with acting(post_of(security), user=security, second_factor=True):
        recovery.unlock(user=user)
    assert attempt("li", PASSWORD) == "li"
    with acting_system("cli"):
        assert AuditRecord.objects.get(action="account.unlock").actor == "security_admin"


def test_an_account_that_is_switched_off_is_signed_out_and_stays_out(staff: Staff) -> None:
    user, security = staff(name="li"), staff("security_admin")
    key, token = browser(user), give(security, user)
    with acting(post_of(security), user=security, second_factor=True):
        recovery.switch_off(user=user)
    assert whose(key) == (None, "revoked")
    assert attempt("li", PASSWORD) == "WAYS-003"
    with pytest.raises(actions.LinkRefused):
        open_(token)
    with acting(post_of(security), user=security, second_factor=True):
        recovery.switch_on(user=user)
    assert attempt("li", PASSWORD) == "li"
