"""Service accounts: keys that are shown once, end, and are rotated without anything having to stop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord, Post
from zhiwan.city.people.tests.conftest import AT, Staff, post_of
from zhiwan.city.people.ways_in import limits, machines
from zhiwan.city.people.ways_in.errors import ServiceRefused
from zhiwan.city.people.ways_in.hashes import digest
from zhiwan.city.people.ways_in.models import ServiceAccount, ServiceKey

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def works(key: str, at: object = AT) -> bool:
    return machines.find(key, address="192.0.2.1", at=at) is not None  # type: ignore[arg-type]


@pytest.fixture
def made(staff: Staff) -> tuple[ServiceAccount, str]:
    post = post_of(staff("integrator"))
    with acting_system("cli"):
        return machines.create(title="水务平台", post=post, scopes=["entity.read", "alarm.read"], days=90, at=AT)


def test_only_the_hash_of_a_key_is_kept(made: tuple[ServiceAccount, str]) -> None:
    account, key = made
    row = ServiceKey.objects.get()
    assert bytes(row.key_hash) == digest(key)
    assert len(row.begins) < len(key) / 2
    assert account.scopes == ["alarm.read", "entity.read"]


def test_a_key_ends_on_its_day(made: tuple[ServiceAccount, str]) -> None:
    assert works(made[1], AT + 90 * DAY - HOUR)
    assert not works(made[1], AT + 90 * DAY)


def test_after_a_rotation_the_old_key_lives_for_some_hours(made: tuple[ServiceAccount, str]) -> None:
    account, old = made
    with acting_system("cli"):
        new = machines.rotate(account=account, days=30, at=AT)
    over = AT + limits.at(AT).key_overlap_hours * HOUR
    assert (works(old, over - HOUR), works(old, over)) == (True, False)
    assert (works(new, over), works(new, AT + 30 * DAY)) == (True, False)


def test_a_rotation_lengthens_no_life(made: tuple[ServiceAccount, str]) -> None:
    account, old = made
    late = AT + 90 * DAY - HOUR
    with acting_system("cli"):
        machines.rotate(account=account, at=late)
    assert not works(old, AT + 90 * DAY)


def test_a_key_and_an_account_end_at_once(made: tuple[ServiceAccount, str]) -> None:
    account, old = made
    with acting_system("cli"):
        new = machines.rotate(account=account, at=AT)
        machines.end_key(account=account, key_id=ServiceKey.objects.get(key_hash=digest(new)).pk, at=AT)
        assert (works(old), works(new)) == (True, False)
        machines.end_account(account=account, at=AT)
        assert not works(old)
        with pytest.raises(ServiceRefused):
            machines.rotate(account=ServiceAccount.objects.get(), at=AT)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_no_key_lives_for_ever(made: tuple[ServiceAccount, str], days: int) -> None:
    with acting_system("cli"), pytest.raises(ServiceRefused):
        machines.rotate(account=made[0], days=days or -5, at=AT)


def test_an_account_without_a_scope_is_none(staff: Staff) -> None:
    post = post_of(staff("integrator"))
    with acting_system("cli"), pytest.raises(ServiceRefused):
        machines.create(title="x", post=post, scopes=[], at=AT)


def test_its_use_is_noted_once_a_minute(made: tuple[ServiceAccount, str]) -> None:
    for seconds, seen in ((0, 0), (59, 0), (60, 60)):
        works(made[1], AT + timedelta(seconds=seconds))
        assert ServiceKey.objects.get().last_used_at == AT + timedelta(seconds=seen)


def test_who_manages_them(staff: Staff) -> None:
    system, desk, post = staff("system_admin"), staff("operator"), post_of(staff("integrator"))
    with acting(post_of(desk), user=desk), pytest.raises(ActionForbidden):
        machines.create(title="x", post=post, scopes=["alarm.read"])
    with acting(post_of(system), user=system, second_factor=True):
        machines.create(title="x", post=Post.objects.get(pk=post.pk), scopes=["alarm.read"])
    with acting_system("cli"):
        told = AuditRecord.objects.get(action="service.create")
    assert told.after == {"title": "x", "post": "integrator", "scopes": ["alarm.read"]}
