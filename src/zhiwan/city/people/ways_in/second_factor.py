"""The second factor: a code of a phone app that changes every half minute (TOTP, RFC 6238), and codes on paper for the
day the phone is lost.

The algorithm is `cryptography`'s; here is only what a product has to add: the secret is sealed, a code is good once,
tries are counted, and giving it up is refused where posts demand one (demands.py).

begin(user) -> Enrolment           the secret to show, the same until it is confirmed
confirm(user, code) -> [codes]     from now on it is asked; ten recovery codes, shown once
verify(user, code)                 a current code or an unused recovery code
renew_codes(user) · give_up(user) · forget(user)
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import transaction
from django.utils import timezone

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import demands, limits, locks, own
from zhiwan.city.people.ways_in.errors import Locked, SecondFactorDemanded, SecondFactorRefused
from zhiwan.city.people.ways_in.models import Credential, RecoveryCode
from zhiwan.city.people.ways_in.seals import seal, unseal

WHAT = "second"
STEP, DIGITS, DRIFT = 30, 6, 1  # what every app on every phone does; one step of a wrong clock is forgiven
RECOVERY_CODES = 10
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # nothing that looks like something else


@dataclass(frozen=True)
class Enrolment:
    """What a phone app needs: the address in the QR code, or the secret typed by hand."""

    address: str
    secret: str

    @property
    def grouped(self) -> str:
        """The secret in groups of four, as people read it to each other."""
        return " ".join(re.findall(".{1,4}", self.secret))

    @property
    def picture(self) -> str:
        """The QR code as a data address, dark on white in every theme: phones read no other."""
        return str(segno.make(self.address, error="m", micro=False).svg_data_uri(scale=5, border=4, light="#fff"))


def enrolled(user: User) -> bool:
    """Whether the account has a second factor."""
    with acting_system("web"):
        return Credential.objects.filter(user=user, totp_sealed__isnull=False).exists()


@transaction.atomic
def begin(*, user: User, issuer: str) -> Enrolment:
    """A secret for a new device. It counts once a code of it was shown; until then the same one is given again."""
    own.require(user)
    with acting_system("web"):
        credential = _credential(user)
        if credential.totp_next is None:
            credential.totp_next = seal(base64.b32encode(secrets.token_bytes(20)).decode())
            credential.save(update_fields=["totp_next"])
    secret = unseal(credential.totp_next)
    return Enrolment(_totp(secret).get_provisioning_uri(user.username, issuer), secret)


def confirm(*, user: User, code: str, address: str | None = None, at: datetime | None = None) -> list[str]:
    """The new device shows its first code: it is the second factor now, and the recovery codes are new.

    Raises SecondFactorRefused, Locked. Not one transaction: a wrong try stays counted.
    """
    own.require(user)
    now = at or timezone.now()
    left = locks.begin(WHAT, user.username, now)
    with transaction.atomic(), acting_system("web"):
        credential = _credential(user)
        step = None if credential.totp_next is None else _step_of(unseal(credential.totp_next), code, now)
        if step is None:
            raise _refused(left, now)
        credential.totp_sealed, credential.totp_next = credential.totp_next, None
        credential.totp_since, credential.totp_last_step = now, step
        credential.save(update_fields=["totp_sealed", "totp_next", "totp_since", "totp_last_step"])
        own.record("account.enrol_second_factor", user, address=address, at=now)
        codes = _new_codes(user)
    locks.forgive(WHAT, user.username)
    return codes


def verify(*, user: User, code: str, address: str | None = None, at: datetime | None = None) -> None:
    """A current code of the device, or a recovery code. Raises SecondFactorRefused, Locked (and counts the try)."""
    own.require(user)
    now = at or timezone.now()
    left = locks.begin(WHAT, user.username, now)
    if not _accept_current(user, code, now) and not _accept_recovery(user, code, address, now):
        raise _refused(left, now)
    locks.forgive(WHAT, user.username)


def _accept_current(user: User, code: str, now: datetime) -> bool:
    with acting_system("web"):
        credential = _credential(user)
        if credential.totp_sealed is None:
            return False
        step = _step_of(unseal(credential.totp_sealed), code, now)
        if step is None or step <= credential.totp_last_step:
            return False
        credential.totp_last_step = step
        credential.save(update_fields=["totp_last_step"])
    return True


def _accept_recovery(user: User, code: str, address: str | None, now: datetime) -> bool:
    with acting_system("web"):
        unused = RecoveryCode.objects.filter(user=user, code_hash=_hash(code), used_at=None)
        if unused.update(used_at=now) != 1:
            return False
    own.record("account.use_recovery_code", user, address=address, at=now)
    return True


@transaction.atomic
def renew_codes(*, user: User, at: datetime | None = None) -> list[str]:
    """Ten new recovery codes; the old ones stop to work."""
    own.require(user)
    if not enrolled(user):
        raise SecondFactorRefused(left="-")
    own.record("account.renew_recovery_codes", user, at=at)
    return _new_codes(user)


@transaction.atomic
def give_up(*, user: User, at: datetime | None = None) -> None:
    """Without a second factor from now on. Raises SecondFactorDemanded."""
    own.require(user)
    if demanding := demands.roles_that_demand(user):
        raise SecondFactorDemanded(roles=", ".join(sorted(demanding)))
    forget(user)
    own.record("account.give_up_second_factor", user, at=at)


def forget(user: User) -> None:
    """Nothing of a second factor is left; the callers say who decided so."""
    with acting_system("web"):
        Credential.objects.filter(user=user).update(totp_sealed=None, totp_next=None, totp_since=None, totp_last_step=0)
        RecoveryCode.objects.filter(user=user).delete()


def codes_left(user: User) -> int:
    """Recovery codes that were not used yet."""
    with acting_system("web"):
        return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _credential(user: User) -> Credential:
    Credential.objects.bulk_create([Credential(user=user)], ignore_conflicts=True)
    return Credential.objects.select_for_update().get(user=user)


def _new_codes(user: User) -> list[str]:
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    with acting_system("web"):
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create([RecoveryCode(user=user, code_hash=_hash(code)) for code in codes])
    return codes


def _new_code() -> str:
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _hash(code: str) -> bytes:
    return hashlib.sha256(re.sub(r"[\s-]", "", code).upper().encode()).digest()


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP)  # noqa: S303 - what RFC 6238 and every phone app use


def _step_of(secret: str, code: str, at: datetime) -> int | None:
    """The step of which this is the code, within the drift; None for a wrong one."""
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", digits):
        return None
    now = int(at.timestamp()) // STEP
    for step in range(now - DRIFT, now + DRIFT + 1):
        try:
            _totp(secret).verify(digits.encode(), step * STEP)
        except InvalidToken:
            continue
        return step
    return None


def _refused(left: int, at: datetime) -> SecondFactorRefused | Locked:
    if left == 0:
        return Locked(until=at + limits.at(at).lock, at=at)
    return SecondFactorRefused(left=left)
