"""Who acts for whom: family proxies with the ward's word, firms with an office's first entry and their own staff."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.utils import timezone

from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden, NobodyActs
from zhiwan.city.people.models import AuditRecord, User
from zhiwan.city.people.queries import posts_of
from zhiwan.city.people.tests.conftest import Staff, post_of
from zhiwan.city.people.ways_in import firms, limits, proxies, residents
from zhiwan.city.people.ways_in.errors import CodeRefused, GrantRefused, NotYours, TooOften
from zhiwan.city.people.ways_in.models import Firm, FirmStaff, Proxy
from zhiwan.city.people.ways_in.queries import own_of
from zhiwan.kernel.facts.ids import IdRefused, credit_check_digit, organisation_check_digit

pytestmark = pytest.mark.django_db
Outbox = Callable[[], list[dict[str, str]]]
Resident = Callable[[str], User]
NOW = timezone.now()
TODAY = timezone.localdate(NOW)
DAUGHTER, FATHER, STRANGER, HERE = "13900000001", "13900000002", "13900000003", "192.0.2.1"


def credit_code(number: int = 1) -> str:
    body = f"{number:08}"
    first = f"91990101{body}{organisation_check_digit(body)}"
    return first + credit_check_digit(first)


def last_code(outbox: Outbox, number: str) -> str:
    message = [one for one in outbox() if one["phone"] == number][-1]
    return str(re.findall(r"\b(\d{6})\b", message["text"])[0])


# -- family


def ask(agent: User, number: str = FATHER, days: int = 30, minutes: int = 0) -> Proxy:
    return proxies.ask(
        agent=agent,
        number=number,
        name="老张",
        relation="parent",
        valid_to=TODAY + timedelta(days=days),
        address=HERE,
        at=NOW + timedelta(minutes=minutes),
    )


def test_a_proxy_begins_with_the_wards_code_and_makes_the_ward_an_account(resident: Resident, outbox: Outbox) -> None:
    daughter = resident(DAUGHTER)
    proxy = ask(daughter)
    assert own_of(daughter, NOW).wards == ()
    with pytest.raises(CodeRefused):
        proxies.confirm(agent=daughter, proxy_id=proxy.pk, code="000000", address=HERE, at=NOW)
    proxies.confirm(agent=daughter, proxy_id=proxy.pk, code=last_code(outbox, FATHER), address=HERE, at=NOW)
    father = resident(FATHER)
    assert own_of(daughter, NOW).wards == (father.username,)
    assert own_of(father, NOW).wards == ()
    assert [one.agent for one in proxies.of_ward(father, NOW)] == [daughter]


def test_the_ward_reads_who_asks_and_until_when(resident: Resident, outbox: Outbox) -> None:
    daughter = resident(DAUGHTER)
    residents.rename(user=daughter, name="张晓")
    proxy = ask(daughter)
    (message,) = outbox()
    assert message["phone"] == FATHER
    assert "张晓" in message["text"]
    assert proxy.valid_to.isoformat() in message["text"]


def test_a_proxy_ends_on_its_day_by_either_side_and_never_by_a_third(resident: Resident, outbox: Outbox) -> None:
    daughter, stranger = resident(DAUGHTER), resident(STRANGER)
    proxy = ask(daughter, days=3)
    proxies.confirm(agent=daughter, proxy_id=proxy.pk, code=last_code(outbox, FATHER), address=HERE, at=NOW)
    father = resident(FATHER)
    assert own_of(daughter, NOW + timedelta(days=3)).wards
    assert own_of(daughter, NOW + timedelta(days=4)).wards == ()
    with pytest.raises(NotYours):
        proxies.end(user=stranger, proxy_id=proxy.pk)
    with acting(post_of(stranger), user=stranger), pytest.raises(NotYours):
        proxies.end(user=father, proxy_id=proxy.pk)
    proxies.end(user=father, proxy_id=proxy.pk)
    assert own_of(daughter, NOW).wards == ()


@pytest.mark.parametrize("days", [-1, 367])
def test_a_proxy_has_an_end_within_the_limit(resident: Resident, outbox: Outbox, days: int) -> None:
    with pytest.raises(GrantRefused):
        ask(resident(DAUGHTER), days=days)
    assert outbox() == []


def test_nobody_is_his_own_ward_nor_asks_twice_for_one(resident: Resident, outbox: Outbox) -> None:
    daughter = resident(DAUGHTER)
    with pytest.raises(GrantRefused):
        ask(daughter, number=DAUGHTER)
    first = ask(daughter)
    second = ask(daughter, minutes=1)  # asked anew: the first question is void
    code = last_code(outbox, FATHER)
    at = NOW + timedelta(minutes=1)
    with pytest.raises(NotYours):
        proxies.confirm(agent=daughter, proxy_id=first.pk, code=code, address=HERE, at=at)
    proxies.confirm(agent=daughter, proxy_id=second.pk, code=code, address=HERE, at=at)
    with pytest.raises(GrantRefused):
        ask(daughter, minutes=2)


def test_a_stranger_confirms_nothing(resident: Resident, outbox: Outbox) -> None:
    proxy = ask(resident(DAUGHTER))
    with pytest.raises(NotYours):
        proxies.confirm(
            agent=resident(STRANGER), proxy_id=proxy.pk, code=last_code(outbox, FATHER), address=HERE, at=NOW
        )
    later = NOW + proxies.ASKED_FOR
    with pytest.raises(NotYours):
        proxies.confirm(agent=resident(DAUGHTER), proxy_id=proxy.pk, code="000000", address=HERE, at=later)


# -- firms


@pytest.fixture
def firm(staff: Staff) -> Firm:
    """A firm whose administrator has the phone DAUGHTER, entered at the counter."""
    clerk = staff("counter_clerk")
    with acting(post_of(clerk), user=clerk):
        return firms.register(
            code=credit_code(), name="云湾水泥厂", person="张晓", number=DAUGHTER, valid_to=TODAY + timedelta(days=90)
        )


def enter(outbox: Outbox, number: str, code: str = "", minutes: int = 0) -> tuple[User, str]:
    at, code = NOW + timedelta(minutes=minutes), code or credit_code()
    firms.send_code(code=code, number=number, address=HERE, at=at)
    user, post = firms.sign_in(code=code, number=number, sms_code=last_code(outbox, number), address=HERE, at=at)
    return user, post.role


@pytest.mark.mission("E3")
def test_a_firm_is_entered_at_the_counter_and_its_administrator_comes_in(firm: Firm, outbox: Outbox) -> None:
    user, role = enter(outbox, DAUGHTER)
    assert role == "firm"
    assert {post.role for post in posts_of(user)} == {"resident", "firm"}
    assert own_of(user, NOW).firms == (firm.code,)


def test_nobody_else_enters_a_firm(staff: Staff, resident: Resident) -> None:
    valid_to = TODAY + timedelta(days=9)
    entry = {"code": credit_code(), "name": "厂", "person": "张", "number": DAUGHTER, "valid_to": valid_to}
    with pytest.raises(NobodyActs):
        firms.register(**entry)  # type: ignore[arg-type]
    for user in (staff("operator"), resident(DAUGHTER)):
        with acting(post_of(user), user=user), pytest.raises(ActionForbidden):
            firms.register(**entry)  # type: ignore[arg-type]
    clerk = staff("counter_clerk")
    with acting(post_of(clerk), user=clerk):
        with pytest.raises(IdRefused):
            firms.register(**{**entry, "code": credit_code()[:-1] + "0"})  # type: ignore[arg-type]
        firms.register(**entry)  # type: ignore[arg-type]
        with pytest.raises(GrantRefused):
            firms.register(**entry)  # type: ignore[arg-type]


def test_typing_a_firms_code_sends_nothing_to_a_phone_that_is_not_theirs(firm: Firm, outbox: Outbox) -> None:
    firms.send_code(code=firm.code, number=STRANGER, address=HERE, at=NOW)
    firms.send_code(code=credit_code(2), number=FATHER, address=HERE, at=NOW)
    assert outbox() == []
    with pytest.raises(CodeRefused):
        firms.sign_in(code=firm.code, number=STRANGER, sms_code="000000", address=HERE, at=NOW)
    with pytest.raises(TooOften):  # and it is counted like any other
        firms.send_code(code=firm.code, number=STRANGER, address=HERE, at=NOW)


def give(by: User, firm: Firm, number: str, *, days: int = 9, administrator: bool = False) -> FirmStaff:
    with acting(post_of_firm(by, firm), user=by):
        return firms.grant(
            by=by,
            firm=firm,
            person="王",
            number=number,
            valid_to=TODAY + timedelta(days=days),
            administrator=administrator,
            at=NOW,
        )


def post_of_firm(user: User, firm: Firm):  # type: ignore[no-untyped-def]
    return next(post for post in posts_of(user) if post.role in ("firm", "resident"))


def test_the_administrator_names_staff_who_come_in_until_their_day(firm: Firm, outbox: Outbox) -> None:
    chief, _role = enter(outbox, DAUGHTER)
    give(chief, firm, FATHER)
    clerk, _role = enter(outbox, FATHER)
    assert own_of(clerk, NOW).firms == (firm.code,)
    assert own_of(clerk, NOW + timedelta(days=10)).firms == ()
    with acting_system("cli"):
        FirmStaff.objects.filter(user=clerk).update(valid_to=date(2020, 1, 1))
    assert {post.role for post in posts_of(clerk)} == {"resident"}
    with pytest.raises(CodeRefused):
        firms.sign_in(code=firm.code, number=FATHER, sms_code="000000", address=HERE, at=NOW)


def test_staff_and_strangers_name_nobody(firm: Firm, outbox: Outbox, resident: Resident) -> None:
    chief, _role = enter(outbox, DAUGHTER)
    give(chief, firm, FATHER)
    clerk, _role = enter(outbox, FATHER)
    for user in (clerk, resident(STRANGER)):
        with pytest.raises(NotYours):
            give(user, firm, "13900000009")
    assert [one.name for one in firms.staff_of(firm, NOW)] == ["张晓", "王"]


def test_a_grant_ends_at_once_and_the_last_administrator_stays(firm: Firm, outbox: Outbox) -> None:
    chief, _role = enter(outbox, DAUGHTER)
    given = give(chief, firm, FATHER, administrator=True)
    clerk, _role = enter(outbox, FATHER)
    own = next(one for one in firms.staff_of(firm, NOW) if one.user_id == chief.pk)
    firms.end(by=clerk, staff_id=own.pk, at=NOW)
    assert own_of(chief, NOW).firms == ()
    with pytest.raises(NotYours):
        firms.end(by=chief, staff_id=given.pk, at=NOW)
    with pytest.raises(GrantRefused):
        firms.end(by=clerk, staff_id=given.pk, at=NOW)
    with acting_system("cli"):
        records = AuditRecord.objects.filter(action__startswith="firm.").order_by("recorded_at", "seq")
        assert [one.action for one in records] == ["firm.register", "firm.grant", "firm.end_grant"]


def test_a_firms_post_sees_no_guarded_row(firm: Firm, outbox: Outbox) -> None:
    from zhiwan.city.registry.models import Entity

    user, _role = enter(outbox, DAUGHTER)
    with acting_system("cli"):
        Entity.objects.create(id="g1", type="Gauge", name="g", town="990101001", area="990101001")
    for post in posts_of(user):
        with acting(post, user=user):
            assert not Entity.objects.exists()


def test_grants_are_no_longer_than_the_limit(firm: Firm, outbox: Outbox) -> None:
    chief, _role = enter(outbox, DAUGHTER)
    with pytest.raises(GrantRefused):
        give(chief, firm, FATHER, days=limits.at(NOW).grant_days + 1)
