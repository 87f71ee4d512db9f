"""Passwords of staff: what a new one must be, that wrong tries are counted, and what a change ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.models import AuditRecord
from zhiwan.city.people.tests.conftest import PASSWORD, Staff, post_of
from zhiwan.city.people.ways_in import limits, passwords
from zhiwan.city.people.ways_in.errors import Locked, NotYours, PasswordRefused, SignInRefused, TooOften
from zhiwan.city.people.ways_in.models import Credential

pytestmark = pytest.mark.django_db


def attempt(name: str, password: str, address: str = "192.0.2.1") -> str:
    try:
        return passwords.check_name_and_password(name=name, password=password, address=address).username
    except (SignInRefused, TooOften) as problem:
        return problem.code


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("Abcdefg-77", True),
        ("abcdefg-77", True),  # small, digit, sign
        ("中文口令Abc77xyz", True),
        ("Abcdef-77", False),  # nine characters
        ("abcdefghijkl-mno", False),  # two sorts
        ("ABCDEFGH1234", False),
    ],
)
def test_a_new_password_has_ten_characters_of_three_sorts(password: str, good: bool) -> None:
    if good:
        passwords.RuleValidator().validate(password)
    else:
        with pytest.raises(ValidationError):
            passwords.RuleValidator().validate(password)


def test_five_wrong_passwords_lock_the_name_even_for_the_right_one(staff: Staff) -> None:
    staff(name="li")
    assert [attempt("li", "guess") for _ in range(5)] == ["WAYS-003"] * 4 + ["WAYS-002"]
    assert attempt("li", PASSWORD) == "WAYS-002"
    assert attempt("LI", PASSWORD) == "WAYS-002", "another spelling is no way round the lock"
    with acting_system("cli"):
        assert AuditRecord.objects.filter(action="account.locked", subject="user:li").count() == 1


def test_a_name_that_does_not_exist_answers_like_one_that_does(staff: Staff) -> None:
    staff(name="li")
    assert [attempt("wu", "guess") for _ in range(6)] == ["WAYS-003"] * 4 + ["WAYS-002"] * 2


def test_a_right_password_forgives_the_wrong_ones_before_it(staff: Staff) -> None:
    staff(name="li")
    for _ in range(3):
        assert [attempt("li", "guess"), attempt("li", "guess"), attempt("li", PASSWORD)][2] == "li"


def test_an_address_that_tries_many_names_is_stopped_and_others_are_not(staff: Staff) -> None:
    staff(name="li")
    for number in range(limits.at(timezone.now()).failures_of_an_address):
        attempt(f"name{number}", "guess")
    assert attempt("li", PASSWORD) == "WAYS-001"
    assert attempt("li", PASSWORD, address="192.0.2.2") == "li"


def test_a_wrong_old_password_is_counted_though_the_change_is_refused(staff: Staff) -> None:
    user = staff(name="li")
    with acting(post_of(user), user=user):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                passwords.change(user=user, old="guess", new="Another-one-22")
        with pytest.raises(Locked):
            passwords.change(user=user, old="guess", new="Another-one-22")
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_a_changed_password_is_new_and_none_of_the_last_ones(staff: Staff) -> None:
    user = staff(name="li")
    for old, new in ((PASSWORD, "Another-one-22"), ("Another-one-22", "Another-one-33")):
        passwords.change(user=user, old=old, new=new)
    for used in (PASSWORD, "Another-one-22", "Another-one-33"):
        with pytest.raises(PasswordRefused):
            passwords.change(user=user, old="Another-one-33", new=used)
    passwords.change(user=user, old="Another-one-33", new="Another-one-44")
    passwords.change(user=user, old="Another-one-44", new="Another-one-55")
    passwords.change(user=user, old="Another-one-55", new=PASSWORD)  # long ago


def test_nobody_changes_the_password_of_another(staff: Staff) -> None:
    user, other = staff(name="li"), staff(name="wu")
    with acting(post_of(other), user=other), pytest.raises(NotYours):
        passwords.change(user=user, old=PASSWORD, new="Another-one-22")


def test_an_old_password_and_a_given_one_must_be_replaced(staff: Staff) -> None:
    user, now = staff(name="li"), timezone.now()
    assert not passwords.must_choose(user, now)
    assert passwords.must_choose(user, now + timedelta(days=90))
    with acting_system("cli"):
        Credential.objects.filter(user=user).update(must_change=True)
    assert passwords.must_choose(user, now)
    passwords.choose(user=user, new="Another-one-22")
    assert not passwords.must_choose(user, now)
    assert passwords.must_choose(staff(name="wu", password=None), now)
