"""Who acts: accounts, the posts they hold, and the record of what they did.

A person acts through a *post* (岗位): a role in an organisation with a scope, for a time. What a request may see
follows from the post's scope (reach.py; acting.py tells the database), what it may do from its role (guard.py, roles/).
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Scope(models.TextChoices):
    """Where a post reaches. Classes and bodies of a post narrow it further, whatever its scope."""

    DISTRICT = "district"
    TOWNS = "towns"
    ZONES = "zones"  # zones, villages, grids; and the post's towns, if it names some
    OWN = "own"  # what belongs to its own organisation or account
    NONE = "none"  # no row of the city: the administrators


class BodyKind(models.TextChoices):
    """What sort of organisation it is."""

    DISTRICT_OFFICE = "district_office"  # 区级部门
    TOWN = "town"  # 街镇
    VILLAGE = "village"  # 村居
    SERVICE = "service"  # 事业、作业单位
    FIRM = "firm"  # 企业


class User(AbstractUser):
    """An account. It may do nothing by itself: see Holding."""

    display_name = models.CharField(max_length=80, blank=True)
    language = models.CharField(max_length=10, blank=True)

    def __str__(self) -> str:
        return self.display_name or self.username


class Organisation(models.Model):
    """A body of the place (责任单位), in the tree of bodies."""

    id = models.SlugField(primary_key=True, max_length=64)
    name_zh = models.CharField(max_length=120)
    name_en = models.CharField(max_length=160)
    area = models.CharField(max_length=15)
    kind = models.CharField(
        max_length=16, choices=BodyKind.choices, default=BodyKind.DISTRICT_OFFICE, db_default=BodyKind.DISTRICT_OFFICE
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="below")
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)  # exclusive

    def __str__(self) -> str:
        return self.name_zh


def _texts(length: int) -> ArrayField[list[str], list[str]]:
    return ArrayField(models.CharField(max_length=length), default=list, db_default=[], blank=True)


class Post(models.Model):
    """A post of an organisation: what it may do by its role, where by its scope, whose by classes and bodies."""

    id = models.SlugField(primary_key=True, max_length=64)
    role = models.CharField(max_length=48, db_index=True)  # the place's word for it, which packs name
    #: The shipped role whose actions it holds; empty: the role itself is a shipped one.
    base_role = models.CharField(max_length=48, blank=True, default="", db_default="")
    title_zh = models.CharField(max_length=120)
    title_en = models.CharField(max_length=160)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    scope = models.CharField(max_length=8, choices=Scope.choices)
    towns = ArrayField(models.CharField(max_length=9), default=list, blank=True)
    zones = _texts(64)  # zones by id, villages and grids by code
    #: 条线: classes (ids of packs) and owning bodies; both empty: of every class and body.
    classes = _texts(64)
    bodies = _texts(64)
    #: The two worked out against the tree of bodies (lines.py), so that acting needs no query.
    lines = _texts(140)
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)  # exclusive

    def __str__(self) -> str:
        return self.title_zh

    @property
    def shipped_role(self) -> str:
        """The name under which the roles know it."""
        return self.base_role or self.role

    @property
    def line_bound(self) -> bool:
        """Whether it minds some lines of duty only."""
        return bool(self.classes or self.bodies)


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
    """Who did what, through which post, and what changed. Append-only: the database refuses anything else.

    Made by SQL (migrations): partitioned by the month of `recorded_at`, written only by people_audit_append(). Nothing
    refers to other tables: a record must be readable when what it speaks of is gone.
    """

    pk = models.CompositePrimaryKey("chain", "seq")
    chain = models.CharField(max_length=80)  # org:<organisation>, system:<process>, accounts
    seq = models.BigIntegerField()
    recorded_at = models.DateTimeField()  # the platform's clock
    form = models.SmallIntegerField()
    previous = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    at = models.DateTimeField()  # the clock of the space it was done in
    user_id = models.BigIntegerField(null=True)
    account = models.CharField(max_length=150)  # the account's name, or system:<process>
    actor = models.CharField(max_length=80)  # as it was called then
    post = models.CharField(max_length=64, null=True)
    organisation = models.CharField(max_length=64, null=True)
    action = models.CharField(max_length=64)  # cases.close
    subject = models.CharField(max_length=160)  # case:17
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    purpose = models.CharField(max_length=200)
    address = models.CharField(max_length=45, null=True)
    space = models.CharField(max_length=16)  # live, or the story it was done in

    class Meta:
        managed = False
        db_table = "people_auditrecord"


class AuditChain(models.Model):
    """The head of one chain: its row is the lock of the chain's writers. Written only by people_audit_append()."""

    chain = models.CharField(primary_key=True, max_length=80)
    seq = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)
    recorded_at = models.DateTimeField()
    signed_seq = models.BigIntegerField(default=0, db_default=0)  # how far it stands in the file of signed heads


class AuditSigning(models.Model):
    """What was signed last (one row): the file of signed heads must not end before it."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField(null=True)
    line = models.BigIntegerField(default=0)
    key = models.CharField(max_length=64, blank=True)
    problem = models.CharField(max_length=300, blank=True)  # why it could not be signed since


class AuditRun(models.Model):
    """Work on the audit that a person or the night asked for: a check of all chains, or letting a month go."""

    kind = models.CharField(max_length=8, choices=[("verify", "verify"), ("retire", "retire")])
    state = models.CharField(max_length=8, default="waiting")  # waiting, running, done, failed
    asked_at = models.DateTimeField(db_index=True)
    asked_by = models.CharField(max_length=80)
    order = models.JSONField(default=dict)  # of a month: which, why, and as whom
    told_at = models.DateTimeField(null=True)  # the last sign of life
    ended_at = models.DateTimeField(null=True)
    records = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    report = models.JSONField(null=True)
    problem = models.JSONField(null=True)  # code, fact, detail, hint, and the values of its sentence


# Django finds an app's tables through this module; those of the ways in have a room of their own.
from zhiwan.city.people.ways_in import models as ways_in_models  # noqa: E402, F401
