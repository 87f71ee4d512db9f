"""Tables of the ways in: what proves an account, what is signed in, what is locked, who may act for whom.

Secrets are never kept as they are: passwords and random secrets as hashes, codes of six digits and phone numbers as
keyed digests, what has to be read again (a TOTP secret, a phone to write to) sealed with a key outside the database.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

USER, POST = "people.User", "people.Post"


class Credential(models.Model):
    """What an account proves itself with, besides the password's hash that Django keeps with it."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, primary_key=True, related_name="credential")
    password_set_at = models.DateTimeField(null=True)
    #: Someone else has seen or replaced the password: the next sign-in asks for a new one.
    must_change = models.BooleanField(default=False)
    former = models.JSONField(default=list)  # hashes of former passwords, newest first
    totp_sealed = models.BinaryField(null=True)
    totp_next = models.BinaryField(null=True)  # of a device that has not shown a code yet
    totp_since = models.DateTimeField(null=True)
    totp_last_step = models.BigIntegerField(default=0)  # a code is good once

    class Meta:
        app_label = "people"


class RecoveryCode(models.Model):
    """Stands in for the second factor once. More than 70 random bits, so a plain hash is enough."""

    user = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="recovery_codes")
    code_hash = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "people"
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="people_recovery_code_once")]


class Lock(models.Model):
    """Wrong tries in a row for a name, a second factor or the like; `key` tells nobody whose they are."""

    key = models.BinaryField(max_length=32, primary_key=True)
    failures = models.PositiveSmallIntegerField(default=0)
    last_at = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        app_label = "people"


class RateWindow(models.Model):
    """How often something was done since its window began."""

    key = models.BinaryField(max_length=32, primary_key=True)
    ends_at = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField()

    class Meta:
        app_label = "people"


class Session(AbstractBaseSession):
    """One browser. `session_key` is a digest: the key itself is only in the browser's cookie."""

    user = models.ForeignKey(USER, on_delete=models.CASCADE, null=True, related_name="sessions")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()  # the person's last act; what the page fetches by itself does not count
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200, blank=True)
    how = models.CharField(max_length=16, blank=True)  # password, link, recovery, phone, firm
    second_at = models.DateTimeField(null=True)  # when the second factor was last shown
    wall = models.BooleanField(default=False)  # only looks, and is not signed out for being idle
    ended_at = models.DateTimeField(null=True)
    ended_why = models.CharField(max_length=16, blank=True)

    @classmethod
    def get_session_store_class(cls) -> Any:
        from zhiwan.city.people.ways_in.session_store import SessionStore

        return SessionStore

    class Meta:
        app_label = "people"
        indexes = [models.Index(fields=["user", "-seen_at"], name="people_session_of_user")]


class PhoneNumber(models.Model):
    """The verified phone of an account. `key` finds it, `sealed` can be written to, `tail` is shown."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, related_name="phone")
    key = models.BinaryField(max_length=32, unique=True)
    sealed = models.BinaryField()
    tail = models.CharField(max_length=4)
    verified_at = models.DateTimeField()

    class Meta:
        app_label = "people"


class PhoneCode(models.Model):
    """A code sent to a phone, for one purpose (`sign_in`, `firm:<code>`, `proxy:<id>`)."""

    phone_key = models.BinaryField(max_length=32)
    purpose = models.CharField(max_length=40)
    code_hash = models.BinaryField(max_length=32)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "people"
        indexes = [models.Index(fields=["phone_key", "purpose", "-id"], name="people_phonecode_newest")]


class Proxy(models.Model):
    """`agent` may do things for `ward` until a day (家人代办). It counts from the ward's confirmation by code."""

    agent = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="proxies")
    ward = models.ForeignKey(USER, on_delete=models.CASCADE, null=True, related_name="represented_by")
    ward_phone_key = models.BinaryField(max_length=32)
    ward_phone_sealed = models.BinaryField()
    ward_tail = models.CharField(max_length=4)
    ward_name = models.CharField(max_length=40)
    relation = models.CharField(max_length=16)
    valid_to = models.DateField()  # the last day
    asked_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "people"


class Firm(models.Model):
    """A firm or other body with a unified social credit code; its staff act through `post`."""

    code = models.CharField(max_length=18, primary_key=True)
    name = models.CharField(max_length=120)
    post = models.OneToOneField(POST, on_delete=models.PROTECT, related_name="firm")
    registered_at = models.DateTimeField()

    class Meta:
        app_label = "people"


class FirmStaff(models.Model):
    """A person who may act for a firm until a day. `user` is set when that person first comes in."""

    firm = models.ForeignKey(Firm, on_delete=models.CASCADE, related_name="staff")
    user = models.ForeignKey(USER, on_delete=models.CASCADE, null=True, related_name="firm_grants")
    phone_key = models.BinaryField(max_length=32)
    phone_sealed = models.BinaryField()
    tail = models.CharField(max_length=4)
    name = models.CharField(max_length=40)
    administrator = models.BooleanField(default=False)
    valid_to = models.DateField()  # the last day
    granted_at = models.DateTimeField()
    granted_by = models.ForeignKey(USER, on_delete=models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "people"
        constraints = [
            models.UniqueConstraint(
                fields=["firm", "phone_key"], condition=models.Q(ended_at=None), name="people_firm_staff_once"
            )
        ]


class ServiceAccount(models.Model):
    """A machine that uses the API: acts through a post, within its scopes, with keys that end."""

    title = models.CharField(max_length=120)
    post = models.ForeignKey(POST, on_delete=models.PROTECT, related_name="service_accounts")
    scopes = ArrayField(models.CharField(max_length=48))
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "people"


class ServiceKey(models.Model):
    """A key of a service account; only its hash is kept, and its first letters to know it by."""

    account = models.ForeignKey(ServiceAccount, on_delete=models.CASCADE, related_name="keys")
    key_hash = models.BinaryField(max_length=32, unique=True)
    begins = models.CharField(max_length=12)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_address = models.GenericIPAddressField(null=True)

    class Meta:
        app_label = "people"
