"""Phone numbers and the codes sent to them: six digits, kept as a keyed digest, five minutes, five tries.

read(text) -> number                              raises PhoneRefused
send(number, purpose, text, address)              raises TooOften, MessageNotSent
check(number, purpose, code, at)                  once; raises CodeRefused
key(number) · tail(number) · masked(tail) · of(user)
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.crypto import constant_time_compare

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import limits, rates, sms
from zhiwan.city.people.ways_in.errors import CodeRefused, MessageNotSent, PhoneRefused
from zhiwan.city.people.ways_in.models import PhoneCode, PhoneNumber
from zhiwan.city.people.ways_in.seals import keyed
from zhiwan.kernel.facts.ids import is_mobile

DIGITS = 6


def read(text: str) -> str:
    """The eleven digits, without the spaces, hyphens and the +86 that people write. Raises PhoneRefused."""
    number = re.sub(r"[\s-]", "", text).removeprefix("+86")
    if not is_mobile(number):
        raise PhoneRefused()
    return number


def key(number: str) -> bytes:
    """What a number is found by."""
    return keyed("phone", number)


def tail(number: str) -> str:
    """The last four digits: enough for its owner to know it by."""
    return number[-4:]


def masked(last: str) -> str:
    """A number as pages show it."""
    return f"*******{last}"


def of(user: User) -> PhoneNumber | None:
    """The verified phone of an account: residents have one, staff may have none."""
    with acting_system("web"):
        return PhoneNumber.objects.filter(user=user).first()


def send(
    *, number: str, purpose: str, words: Callable[[str, int], str], address: str, at: datetime | None = None
) -> None:
    """A new code to the phone; the one before it stops to work. `words(code, minutes)` makes the message.

    The message leaves after the code is kept and outside any job: a queue would keep the code in plain words.
    """
    now = at or timezone.now()
    allow(number, address, now)
    rules = limits.at(now)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    with acting_system("web"):
        PhoneCode.objects.filter(phone_key=key(number), purpose=purpose, used_at=None).update(used_at=now)
        row = PhoneCode.objects.create(
            phone_key=key(number),
            purpose=purpose,
            code_hash=_digest(number, purpose, code),
            created_at=now,
            expires_at=now + timedelta(minutes=rules.code_minutes),
        )
    try:
        sms.gateway().send(number, words(code, rules.code_minutes))
    except MessageNotSent:
        with acting_system("web"):
            PhoneCode.objects.filter(pk=row.pk).update(used_at=now)
        raise


def allow(number: str, address: str, now: datetime) -> None:
    """Count one sending. Raises TooOften: per phone in a minute and a day, per address in an hour."""
    rules = limits.at(now)
    rates.spend("codes/address", address, most=rules.codes_of_an_address, per=timedelta(hours=1), at=now)
    rates.spend("codes/minute", number, most=rules.codes_a_minute, per=timedelta(minutes=1), at=now)
    rates.spend("codes/day", number, most=rules.codes_a_day, per=timedelta(days=1), at=now)


def check(*, number: str, purpose: str, code: str, address: str, at: datetime | None = None) -> None:
    """The newest code of the phone for this purpose, used up by this. Raises CodeRefused, TooOften.

    A try is counted before the code is looked at, so that guesses at the same moment get no more looks than allowed.
    """
    now = at or timezone.now()
    rates.require_address(address, now)
    with acting_system("web"):
        newest = PhoneCode.objects.filter(phone_key=key(number), purpose=purpose, used_at=None, expires_at__gt=now)
        row = newest.select_for_update().order_by("-id").first()
        good = row is not None and row.tries < limits.at(now).code_tries
        if row is not None:
            right = good and constant_time_compare(bytes(row.code_hash), _digest(number, purpose, code.strip()))
            PhoneCode.objects.filter(pk=row.pk).update(tries=row.tries + 1, used_at=now if right else None)
            good = right
    if not good:
        rates.count_failure(address, now)
        raise CodeRefused()


def _digest(number: str, purpose: str, code: str) -> bytes:
    return keyed("code", number, purpose, code)
