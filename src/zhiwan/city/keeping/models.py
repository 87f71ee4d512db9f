"""The register of backups and drills, and the receipts of deletions. None of them holds anything of a person."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Backup(models.Model):
    """One sealed copy. Where it lies is where it was written: who carries it away knows where it went."""

    id = models.CharField(primary_key=True, max_length=40)
    made_at = models.DateTimeField()  # nothing that was written later is in it
    bytes = models.BigIntegerField()
    archive = models.CharField(max_length=400)
    key_file = models.CharField(max_length=400)
    uncommitted = models.BigIntegerField(null=True)  # messages that were acknowledged and are not in it
    keep_until = models.DateTimeField(null=True)  # then its key is destroyed; None: by hand
    destroyed_at = models.DateTimeField(null=True)
    destroyed_why = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        indexes = [models.Index(fields=["made_at"], name="keeping_backup_made_at")]


class Drill(models.Model):
    """A backup was restored into an empty place and compared."""

    at = models.DateTimeField()
    held = models.BooleanField()
    differences = models.IntegerField(default=0)
    rto_seconds = models.FloatField(null=True)
    rpo_seconds = models.FloatField(null=True)
    megabytes = models.FloatField(default=0)


class Erasure(models.Model):
    """删除回执: a personal field was deleted of things that nothing needed it of any longer."""

    at = models.DateTimeField()
    field = models.CharField(max_length=100)  # Type.field
    purposes = ArrayField(models.CharField(max_length=48))  # what it was registered for
    out_of_use_by = models.DateField(null=True)  # the rule: of things out of use since then; None: of every thing
    things = models.IntegerField()
    things_digest = models.CharField(max_length=64)  # SHA-256 over their sorted ids, a line each
    readings = models.BigIntegerField(default=0)  # rows of the lake
    #: When no file of the database or the lake held it any longer; None: not yet, it is tried again.
    wiped_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True, default="", db_default="")  # why not yet

    class Meta:
        indexes = [models.Index(fields=["-at"], name="keeping_erasure_at")]
