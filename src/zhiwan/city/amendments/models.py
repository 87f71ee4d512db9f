"""Changes of rules and parameters that people propose and sign, and the look back that each was signed on.

A signed amendment is never changed again: what is in force is the last one of its subject (kernel/packs/local_changes),
and to undo one is to sign another.
"""

from __future__ import annotations

from django.db import models

from zhiwan.city.sql.spaces import space_field
from zhiwan.kernel.packs.local_changes import Kind as Subject


class Kind(models.TextChoices):
    RULE = "rule"  # the text of a rule
    ENTRY = "entry"  # a parameter gets a new dated value
    CORRECTION = "correction"  # a dated value of a parameter was wrong

    @property
    def of_parameter(self) -> bool:
        return self != Kind.RULE


class State(models.TextChoices):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Amendment(models.Model):
    """One proposal to change a rule or a parameter. Texts are those of kernel/packs/local_changes."""

    kind = models.CharField(max_length=12, choices=Kind.choices)
    subject = models.CharField(max_length=120)  # global id of the rule or parameter
    region = models.CharField(max_length=12, blank=True)  # of a parameter: it may have values of its own per region
    rule = models.CharField(max_length=120, db_index=True)  # on whose page it was proposed
    base = models.JSONField()  # what the pack says; on any other text the amendment does not apply
    before = models.JSONField()  # what was in force
    after = models.JSONField()
    note = models.TextField()  # why
    undoes = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    proposed_by = models.ForeignKey("people.User", on_delete=models.PROTECT, related_name="+")
    proposed_post = models.ForeignKey("people.Post", on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey("people.User", on_delete=models.PROTECT, null=True, related_name="+")
    decided_post = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision = models.TextField(blank=True)  # what the second person said
    serial = models.IntegerField(null=True, unique=True)  # counts signed changes: the 3 of 0.1.0+local.3

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="amendments_two_persons",
                condition=~models.Q(state="approved") | ~models.Q(proposed_by=models.F("decided_by")),
            ),
            models.CheckConstraint(
                name="amendments_signed_counts",
                condition=models.Q(state="approved", serial__isnull=False, decided_by__isnull=False)
                | (~models.Q(state="approved") & models.Q(serial__isnull=True)),
            ),
        ]
        indexes = [models.Index(fields=["-proposed_at"], name="amendments_open", condition=models.Q(state="proposed"))]

    @property
    def key(self) -> tuple[Subject, str, str]:
        """What it is about, in the words of kernel/packs/local_changes."""
        return ("parameter" if Kind(self.kind).of_parameter else "rule", self.subject, self.region)


class Preview(models.Model):
    """A look back over past days with the text in force and the proposed one: on what it was computed, and when."""

    amendment = models.ForeignKey(Amendment, on_delete=models.CASCADE, related_name="previews")
    days = models.IntegerField()  # asked for; 0: all that the lake holds
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=8, default="waiting")  # waiting, running, done, failed
    part = models.FloatField(default=0)
    as_of = models.DateTimeField(null=True)  # rows recorded until then
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    rows = models.BigIntegerField(default=0)
    entities = models.IntegerField(default=0)
    rules = models.JSONField(default=list)
    alarms_before = models.IntegerField(default=0)
    alarms_after = models.IntegerField(default=0)
    left_out = models.IntegerField(default=0)  # differences beyond those that are listed one by one
    seconds = models.FloatField(default=0)
    problem = models.TextField(blank=True)

    @property
    def percent(self) -> int:
        return int(self.part * 100)

    @property
    def under_way(self) -> bool:
        return self.state in ("waiting", "running")


class PreviewDay(models.Model):
    """How many alarms of a day and town would differ."""

    preview = models.ForeignKey(Preview, on_delete=models.CASCADE, related_name="by_day")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    day = models.DateField()
    opened = models.IntegerField(default=0)
    gone = models.IntegerField(default=0)
    level = models.IntegerField(default=0)
    moved = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["preview", "day", "town"], name="amendments_day_once")]


class PreviewDifference(models.Model):
    """One alarm that would come, not come, reach another level or come at another time."""

    preview = models.ForeignKey(Preview, on_delete=models.CASCADE, related_name="differences")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    day = models.DateField()
    kind = models.CharField(max_length=8)  # opened, gone, level, moved
    rule = models.CharField(max_length=120)
    entity = models.ForeignKey("registry.Entity", on_delete=models.CASCADE, db_constraint=False, related_name="+")
    before_opened = models.DateTimeField(null=True)
    before_cleared = models.DateTimeField(null=True)
    before_level = models.CharField(max_length=48, blank=True)
    after_opened = models.DateTimeField(null=True)
    after_cleared = models.DateTimeField(null=True)
    after_level = models.CharField(max_length=48, blank=True)

    class Meta:
        indexes = [models.Index(fields=["preview", "day", "id"], name="amendments_difference")]
