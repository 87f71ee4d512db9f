"""Who acts: accounts, the posts they hold, and the record of what they did.

A person acts through a *post* (岗位): it has a role, belongs to an organisation and covers the whole district or some
towns. What a request may see follows from its post (acting.py), what it may do from the post's role (guard.py).
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Scope(models.TextChoices):
    DISTRICT = "district"
    TOWNS = "towns"


class User(AbstractUser):
    """An account. It may do nothing by itself: see Holding."""

    display_name = models.CharField(max_length=80, blank=True)
    language = models.CharField(max_length=10, blank=True)

    def __str__(self) -> str:
        return self.display_name or self.username


class Organisation(models.Model):
    """A body of the place (责任单位)."""

    id = models.SlugField(primary_key=True, max_length=64)
    name_zh = models.CharField(max_length=120)
    name_en = models.CharField(max_length=160)
    area = models.CharField(max_length=15)

    def __str__(self) -> str:
        return self.name_zh


class Post(models.Model):
    """A post of an organisation. `towns` counts only where scope is `towns`."""

    id = models.SlugField(primary_key=True, max_length=64)
    role = models.CharField(max_length=48, db_index=True)
    title_zh = models.CharField(max_length=120)
    title_en = models.CharField(max_length=160)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    scope = models.CharField(max_length=8, choices=Scope.choices)
    towns = ArrayField(models.CharField(max_length=9), default=list, blank=True)
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)

    def __str__(self) -> str:
        return self.title_zh


class Holding(models.Model):
    """This account holds this post."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    post = models.ForeignKey(Post, on_delete=models.CASCADE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "post"], name="people_holding_once")]


class SignInLink(models.Model):
    """A one-time link printed by bin/up. Only the hash of its token is kept."""

    token_hash = models.BinaryField(unique=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    #: For a phone on the LAN; every other link works from this machine only.
    anywhere = models.BooleanField(default=False)
    #: A new password has to be chosen (recovery.py), and with `without_second` a new second factor enrolled.
    recovery = models.BooleanField(default=False)
    without_second = models.BooleanField(default=False)


class AuditRecord(models.Model):
    """Who did what, through which post, and what changed. Append-only: the database refuses anything else."""

    at = models.DateTimeField(db_index=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, db_constraint=False)
    post = models.ForeignKey(Post, on_delete=models.PROTECT, null=True, db_constraint=False)
    actor = models.CharField(max_length=80)  # the account's name, or system:<process>
    action = models.CharField(max_length=64)  # cases.close
    subject = models.CharField(max_length=160, db_index=True)  # case:17
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    address = models.GenericIPAddressField(null=True)
    space = models.CharField(max_length=16, default="live")  # live, or the story it was done in


# Django finds an app's tables through this module; those of the ways in have a room of their own.
from zhiwan.city.people.ways_in import models as ways_in_models  # noqa: E402, F401
