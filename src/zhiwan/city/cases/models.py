"""What people do about it: one case table for every kind of case, with the steps each took."""

from __future__ import annotations

from django.db import models

from zhiwan.city.sql.scopes import line_field, texts_field
from zhiwan.city.sql.spaces import space_field


class CaseState(models.TextChoices):
    OPEN = "open"
    TAKEN = "taken"
    HANDLED = "handled"
    CLOSED = "closed"


class Case(models.Model):
    """A case: opened by an alarm, taken (签收), handled (处置), closed (结案) with what was true."""

    kind = models.CharField(max_length=120)  # global id
    title_zh = models.CharField(max_length=240)
    title_en = models.CharField(max_length=280)
    town = models.CharField(max_length=9, blank=True)
    area = models.CharField(max_length=15, blank=True)
    space = space_field()
    zones = texts_field()  # these three are the thing's, and who handles it; kept by the database
    line = line_field()
    own = texts_field()
    entity = models.ForeignKey("registry.Entity", on_delete=models.PROTECT, null=True, related_name="+")
    alarm = models.OneToOneField("watch.Alarm", on_delete=models.PROTECT, null=True, related_name="case")
    state = models.CharField(max_length=8, choices=CaseState.choices, default=CaseState.OPEN)
    role = models.CharField(max_length=48)  # who handles this kind
    handler = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField()
    due_take = models.DateTimeField()
    due_handle = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    handled_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=48, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_take"], name="cases_open", condition=~models.Q(state="closed")),
            models.Index(fields=["town", "-opened_at"], name="cases_town"),
            models.Index(fields=["-opened_at"], name="cases_opened"),
        ]


class CaseStep(models.Model):
    """One step of a case."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="steps")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    step = models.CharField(max_length=16)
    at = models.DateTimeField()
    post = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    actor = models.CharField(max_length=80)
    note = models.TextField(blank=True)
