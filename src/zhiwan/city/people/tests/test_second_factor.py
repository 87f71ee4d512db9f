"""The second factor: enrolled with a first code, asked once per code, replaced by paper codes, demanded by posts."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.models import AuditRecord, User
from zhiwan.city.people.tests.conftest import AT, Staff, post_of
from zhiwan.city.people.ways_in import demands, entering, second_factor
from zhiwan.city.people.ways_in.errors import Locked, NotYours, SecondFactorDemanded, SecondFactorRefused
from zhiwan.city.people.ways_in.models import Credential, RecoveryCode

pytestmark = pytest.mark.django_db
STEP = timedelta(seconds=30)


def code_at(secret: str, at: datetime) -> str:
    """What a phone app would show."""
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(int(at.timestamp())).decode()


def enrol(user: User, at: datetime = AT) -> tuple[str, list[str]]:
    secret = second_factor.begin(user=user, issuer="智湾").secret
    return secret, second_factor.confirm(user=user, code=code_at(secret, at), at=at)


def test_enrolling_needs_a_code_of_the_device_that_was_shown(staff: Staff) -> None:
    user = staff()
    shown = second_factor.begin(user=user, issuer="智湾")
    assert second_factor.begin(user=user, issuer="智湾") == shown, "a page loaded again shows the same"
    assert shown.address.startswith("otpauth://totp/")
    assert shown.picture.startswith("data:image/svg+xml")
    with pytest.raises(SecondFactorRefused):
        second_factor.confirm(user=user, code="000000", at=AT)
    assert not second_factor.enrolled(user)
    codes = second_factor.confirm(user=user, code=code_at(shown.secret, AT), at=AT)
    assert second_factor.enrolled(user)
    assert len(set(codes)) == second_factor.RECOVERY_CODES


def test_what_is_kept_opens_nothing_by_itself(staff: Staff) -> None:
    user = staff()
    secret, codes = enrol(user)
    with acting_system("cli"):
        kept = Credential.objects.get(user=user)
        assert secret.encode() not in bytes(kept.totp_sealed or b"")
        assert base64.b32decode(secret) not in bytes(kept.totp_sealed or b"")
        hashes = [bytes(one.code_hash) for one in RecoveryCode.objects.filter(user=user)]
    assert not any(code.encode() in one for code in codes for one in hashes)


@pytest.mark.parametrize(("drift", "good"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_a_clock_that_is_half_a_minute_wrong_is_forgiven(staff: Staff, drift: int, good: bool) -> None:
    user, later = staff(), AT + timedelta(minutes=5)
    secret, _codes = enrol(user)
    code = code_at(secret, later + drift * STEP)
    if good:
        second_factor.verify(user=user, code=code, at=later)
    else:
        with pytest.raises(SecondFactorRefused):
            second_factor.verify(user=user, code=code, at=later)


def test_a_code_is_good_once_and_never_one_before_it(staff: Staff) -> None:
    user, later = staff(), AT + timedelta(minutes=5)
    secret, _codes = enrol(user)
    second_factor.verify(user=user, code=code_at(secret, later), at=later)
    for used in (code_at(secret, later), code_at(secret, later - STEP)):
        with pytest.raises(SecondFactorRefused):
            second_factor.verify(user=user, code=used, at=later)
    second_factor.verify(user=user, code=code_at(secret, later + STEP), at=later + STEP)


def test_the_code_that_enrolled_signs_nobody_in(staff: Staff) -> None:
    user = staff()
    secret, _codes = enrol(user)
    with pytest.raises(SecondFactorRefused):
        second_factor.verify(user=user, code=code_at(secret, AT), at=AT)


def test_a_paper_code_works_once_however_it_is_typed(staff: Staff) -> None:
    user = staff()
    _secret, codes = enrol(user)
    second_factor.verify(user=user, code=codes[0].lower().replace("-", " "), at=AT)
    with pytest.raises(SecondFactorRefused):
        second_factor.verify(user=user, code=codes[0], at=AT)
    assert second_factor.codes_left(user) == 9
    with acting_system("cli"):
        assert AuditRecord.objects.filter(action="account.use_recovery_code").count() == 1
    renewed = second_factor.renew_codes(user=user)
    with pytest.raises(SecondFactorRefused):
        second_factor.verify(user=user, code=codes[1], at=AT)
    second_factor.verify(user=user, code=renewed[0], at=AT)


def test_five_wrong_codes_lock_the_second_factor(staff: Staff) -> None:
    user = staff()
    secret, _codes = enrol(user)
    for _ in range(4):
        with pytest.raises(SecondFactorRefused):
            second_factor.verify(user=user, code="000000", at=AT)
    later = AT + timedelta(minutes=2)
    with pytest.raises(Locked):
        second_factor.verify(user=user, code="000000", at=later)
    with pytest.raises(Locked):
        second_factor.verify(user=user, code=code_at(secret, later), at=later)


def test_a_new_device_replaces_the_old_one(staff: Staff) -> None:
    user, later = staff(), AT + timedelta(minutes=5)
    old, _codes = enrol(user)
    pending = second_factor.begin(user=user, issuer="智湾").secret
    assert pending != old
    second_factor.verify(user=user, code=code_at(old, later), at=later)  # until the new one has shown a code
    second_factor.confirm(user=user, code=code_at(pending, later), at=later)
    after = later + timedelta(minutes=5)
    with pytest.raises(SecondFactorRefused):
        second_factor.verify(user=user, code=code_at(old, after), at=after)
    second_factor.verify(user=user, code=code_at(pending, after), at=after)


@pytest.mark.parametrize("role", ["system_admin", "security_admin", "audit_admin", "data_steward"])
def test_administrators_and_the_highest_grades_cannot_do_without(staff: Staff, role: str) -> None:
    user = staff(role)
    assert entering.steps(user, how="password", at=AT) == ("enrol",)
    enrol(user)
    assert entering.steps(user, how="password", at=AT) == ("second",)
    with pytest.raises(SecondFactorDemanded):
        second_factor.give_up(user=user)
    assert second_factor.enrolled(user)


def test_others_may_have_one_and_give_it_up(staff: Staff) -> None:
    user = staff("operator")
    assert entering.steps(user, how="password", at=AT) == ()
    enrol(user)
    assert entering.steps(user, how="password", at=AT) == ("second",)
    second_factor.give_up(user=user)
    assert entering.steps(user, how="password", at=AT) == ()


def test_a_link_asks_administrators_for_a_second_factor_and_the_duty_chief_for_none(staff: Staff) -> None:
    assert entering.steps(staff("duty_chief"), how="link", at=AT) == ()
    assert entering.steps(staff("data_steward"), how="link", at=AT) == ()
    assert entering.steps(staff("security_admin"), how="link", at=AT) == ("enrol",)
    assert demands.roles_that_demand(User.objects.get(username="duty_chief")) == frozenset()


def test_nobody_enrols_for_another(staff: Staff) -> None:
    user, other = staff(name="li"), staff(name="wu")
    with acting(post_of(other), user=other):
        for attempt in (
            lambda: second_factor.begin(user=user, issuer="x"),
            lambda: second_factor.give_up(user=user),
            lambda: second_factor.renew_codes(user=user),
        ):
            with pytest.raises(NotYours):
                attempt()
