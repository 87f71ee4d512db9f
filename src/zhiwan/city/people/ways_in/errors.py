"""What the ways in refuse. Sentences in Chinese are in portal/refusals.py, by code.

InputRefused
├── TooOften            429 with Retry-After: rate limits
│   └── Locked          too many wrong tries in a row
├── SignInRefused       name and password, or link and code, do not fit
├── PasswordRefused     a new password against the rules
├── SecondFactorRefused · SecondFactorDemanded
├── PhoneRefused · CodeRefused
├── GrantRefused        proxies, firms and their staff
├── ServiceRefused      service accounts
└── NotYours            an account's own matter, asked by another
PartUnavailable
└── MessageNotSent      the SMS gateway did not take it
"""

from __future__ import annotations

import math
from datetime import datetime

from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable


class TooOften(InputRefused):
    """A rate limit; `retry_after` says in how many seconds it is over."""

    code = "WAYS-001"
    fact = "this was tried too often"
    detail = "It may be tried again in {minutes} min."
    hint = "Wait; trying earlier does not help."

    def __init__(self, *, until: datetime, at: datetime) -> None:
        self.until, seconds = until, (until - at).total_seconds()
        self.retry_after = max(1, int(seconds) + 1)
        super().__init__(minutes=max(1, math.ceil(seconds / 60)))


class Locked(TooOften):
    """Too many wrong tries in a row."""

    code = "WAYS-002"
    fact = "this way in is locked after too many wrong tries"
    detail = "It opens by itself in {minutes} min."
    hint = "Wait, or ask the security administrator to unlock the account."


class SignInRefused(InputRefused):
    """Name or password is wrong; the answer never says which, nor whether the account exists."""

    code = "WAYS-003"
    fact = "the account or the password is wrong"
    detail = "Tries left before the account is locked: {left}."
    hint = "Try again, or ask an administrator for a recovery link."


class PasswordRefused(InputRefused):
    """A new password that the rules do not allow. `problems` are sentences in the language of the page."""

    code = "WAYS-004"
    fact = "this password cannot be used"
    detail = "{problems}"
    hint = "Choose another one."


class SecondFactorRefused(InputRefused):
    """Neither a current code nor an unused recovery code."""

    code = "WAYS-005"
    fact = "the code is wrong or was used already"
    detail = "A code is good for half a minute and once. Tries left: {left}."
    hint = "Check the clock of the phone, wait for the next code, or use a recovery code."


class SecondFactorDemanded(InputRefused):
    """It may be replaced, not given up."""

    code = "WAYS-006"
    fact = "this account cannot do without a second factor"
    detail = "Its posts demand one: {roles}."
    hint = "Enrol another device; the old one stops to work then."


class PhoneRefused(InputRefused):
    """No mainland mobile number."""

    code = "WAYS-007"
    fact = "this is no mobile number"
    detail = "It has 11 digits and begins with 13 to 19."
    hint = "Correct the number."


class CodeRefused(InputRefused):
    """A code from a phone that does not fit, is too old or was tried too often."""

    code = "WAYS-008"
    fact = "the code does not fit"
    detail = "Codes have six digits, live a few minutes and bear a few tries."
    hint = "Look again, or ask for a new code."


class GrantRefused(InputRefused):
    """A proxy, a firm or a staff grant that cannot be given or used."""

    code = "WAYS-009"
    fact = "this grant is not possible"
    detail = "{problem}"
    hint = "Correct the entry."


class ServiceRefused(InputRefused):
    """A service account or key that cannot be made."""

    code = "WAYS-010"
    fact = "this service account is not possible"
    detail = "{problem}"
    hint = "Correct the entry."


class NotYours(InputRefused):
    """Somebody else's session, grant or credential."""

    code = "WAYS-011"
    fact = "this belongs to another account, or is not there"
    detail = "An account manages its own sessions, grants and devices only."
    hint = "Ask the security administrator."


class MessageNotSent(PartUnavailable):
    """The gateway for short messages did not take it."""

    code = "WAYS-012"
    fact = "the short message was not sent"
    detail = "{why}"
    hint = "Try again in a minute; if it stays so, tell the system administrator."


class ScopeMissing(InputRefused):
    """A key whose account does not hold the operation's scope."""

    code = "WAYS-013"
    fact = "this key may not use {scope}"
    detail = "Its service account holds: {scopes}."
    hint = "Ask the system administrator to add the scope to the service account."


class WallOnlyLooks(InputRefused):
    """A wall's session changes nothing."""

    code = "WAYS-014"
    fact = "a wall screen only looks"
    detail = "It is not signed out for being idle, so it may not act."
    hint = "Sign in at a desk."
