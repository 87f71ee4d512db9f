"""Accounts and one-time links."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from zhiwan.city.people import actions
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden, NobodyActs
from zhiwan.city.people.models import Organisation, Post, SignInLink, User
from zhiwan.city.people.queries import post_in_use, posts_of, posts_with_role
from zhiwan.city.people.ways_in import machines
from zhiwan.city.people.ways_in.models import ServiceKey

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="所", name_en="office", area="990101")
        posts = [
            Post.objects.create(id=id, role=role, title_zh=id, title_en=id, organisation=office, scope="district")
            for id, role in (("desk", "operator"), ("chief", "duty_chief"))
        ]
        return actions.create_user(name="lin", display_name="林", password="Long-pass-phrase-1", posts=posts)


def link(user: User, **more: object) -> str:
    with acting_system("cli"):
        return actions.create_link(user=user, **more)  # type: ignore[arg-type]


def test_a_link_signs_in_once_and_only_from_this_machine(user: User) -> None:
    token = link(user)
    for address in ("10.0.0.7", "", "nonsense"):
        with pytest.raises(actions.LinkRefused):
            actions.use_link(token=token, address=address)
    assert actions.use_link(token=token, address="127.0.0.1") == user
    with pytest.raises(actions.LinkRefused):
        actions.use_link(token=token, address="127.0.0.1")


def test_a_link_ends_after_its_minutes_and_with_the_next_one(user: User) -> None:
    old = link(user)
    new = link(user)
    with pytest.raises(actions.LinkRefused):
        actions.use_link(token=old, address="::1")
    with pytest.raises(actions.LinkRefused):
        actions.use_link(token=new, address="::1", at=timezone.now() + timedelta(minutes=16))
    with acting_system("cli"):
        User.objects.filter(id=user.id).update(is_active=False)
    with pytest.raises(actions.LinkRefused):
        actions.use_link(token=new, address="::1")


def test_a_phone_link_works_from_elsewhere_for_ten_minutes_and_spares_the_desk_link(user: User) -> None:
    desk = link(user)
    with acting_system("cli"):
        late = actions.create_link(user=user, minutes=10, anywhere=True, at=timezone.now() - timedelta(minutes=11))
        with pytest.raises(actions.LinkRefused):
            actions.use_link(token=late, address="192.168.1.50")
        phone = actions.create_link(user=user, minutes=10, anywhere=True)
    assert actions.use_link(token=phone, address="192.168.1.50") == user
    for spent_or_local in (phone, desk):
        with pytest.raises(actions.LinkRefused):
            actions.use_link(token=spent_or_local, address="192.168.1.50")
    assert actions.use_link(token=desk, address="127.0.0.1") == user


def test_the_address_lan_serves_on_is_this_machine(user: User, settings: Any) -> None:
    settings.ZHIWAN_LAN_ADDRESS = "192.168.1.20"
    with pytest.raises(actions.LinkRefused):
        actions.use_link(token=link(user), address="192.168.1.21")
    assert actions.use_link(token=link(user), address="192.168.1.20") == user


def test_of_two_at_the_same_moment_one_gets_in(user: User) -> None:
    token = link(user)

    def attempt(_: int) -> bool:
        try:
            actions.use_link(token=token, address="127.0.0.1")
        except actions.LinkRefused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1


def test_secrets_are_kept_as_hashes_only(user: User) -> None:
    token = link(user)
    with acting_system("cli"):
        _account, key = machines.create(title="t", post=Post.objects.get(id="desk"), scopes=["case.read"])
        assert bytes(SignInLink.objects.get().token_hash) == actions.digest(token)
        assert bytes(ServiceKey.objects.get().key_hash) == actions.digest(key)


def test_the_password_signs_in_before_any_post_is_known(user: User) -> None:
    """The login role acts as zhiwan_area without towns then: accounts can be read, nothing guarded can."""
    assert authenticate(username="lin", password="Long-pass-phrase-1") == user
    assert authenticate(username="lin", password="wrong") is None


def test_a_weak_password_is_refused(user: User) -> None:
    with acting_system("cli"), pytest.raises(ValidationError):
        actions.create_user(name="wu", display_name="吴", password="password")


def test_the_chief_comes_first_and_a_post_that_ended_is_gone(user: User) -> None:
    assert [post.id for post in posts_of(user)] == ["chief", "desk"]
    assert getattr(post_in_use(posts_of(user), "desk"), "id", None) == "desk"
    with acting_system("cli"):
        Post.objects.filter(id="desk").update(valid_to=timezone.localdate())
    assert getattr(post_in_use(posts_of(user), "desk"), "id", None) == "chief"
    assert posts_with_role("operator") == []


def test_who_may_manage_accounts(user: User) -> None:
    with pytest.raises(NobodyActs):
        actions.create_link(user=user)
    with acting(Post.objects.get(id="desk")), pytest.raises(ActionForbidden):
        actions.create_link(user=user)
    with acting(Post.objects.get(id="chief")):
        actions.create_link(user=user)
