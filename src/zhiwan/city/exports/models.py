"""Requests to take personal data out. What was taken is in none of them: it is read anew when it is fetched."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class State(models.TextChoices):
    ASKED = "asked"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    FETCHED = "fetched"


class PersonalExport(models.Model):
    """Things of one type, with some of their personal fields, for one purpose."""

    type = models.CharField(max_length=48)
    area = models.CharField(max_length=15, blank=True)  # code prefix; empty: all that the post reaches
    fields = ArrayField(models.CharField(max_length=48))
    purpose = models.CharField(max_length=48)  # of the register
    reason = models.CharField(max_length=200)
    rows = models.IntegerField()  # when it was asked; when fetched, then
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_post = models.ForeignKey("people.Post", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decided_post = models.ForeignKey("people.Post", on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=200, blank=True)
    until = models.DateTimeField()  # decided until then; once approved: fetched until then
    fetched_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["-asked_at"], name="exports_asked_at")]
