"""What is measured and judged: latest values, alarms with their life, warnings that people sign, refused values.

The stream worker writes most of these tables in batches (pipeline.py); foreign keys on its hot path are not enforced
by the database because the worker only writes what the registry gave it.
"""

from __future__ import annotations

from django.db import models

from zhiwan.city.sql.scopes import line_field, texts_field
from zhiwan.city.sql.spaces import space_field
from zhiwan.kernel.guard.people import line_of


class LatestValue(models.Model):
    """The newest value of a property of an entity, by observed_at."""

    pk = models.CompositePrimaryKey("entity_id", "property")
    entity = models.ForeignKey("registry.Entity", on_delete=models.CASCADE, db_constraint=False, db_index=False)
    property = models.CharField(max_length=48)
    observed_at = models.DateTimeField()
    value = models.FloatField()
    quality = models.IntegerField()
    source = models.CharField(max_length=64)
    recorded_at = models.DateTimeField()
    town = models.CharField(max_length=9, blank=True)
    space = space_field()


class AlarmState(models.TextChoices):
    OPEN = "open"
    LATCHED = "latched"  # quiet again, waiting for a person to acknowledge
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"  # late data showed that it never was

    @classmethod
    def ended(cls) -> tuple[str, ...]:
        """States of an alarm that is over."""
        return (cls.CLEARED.value, cls.WITHDRAWN.value)


class Alarm(models.Model):
    """One judgement of one rule at one place, from opening to clearing. The id is given by the judge."""

    id = models.CharField(primary_key=True, max_length=80)
    rule = models.CharField(max_length=120)
    rule_version = models.CharField(max_length=64)
    entity = models.ForeignKey("registry.Entity", on_delete=models.CASCADE, db_constraint=False, db_index=False)
    property = models.CharField(max_length=48)
    town = models.CharField(max_length=9, blank=True)
    area = models.CharField(max_length=15, blank=True)
    space = space_field()
    zones = texts_field()  # these three are the thing's, taken over by the database when the alarm opens
    line = line_field()
    own = texts_field()
    level = models.CharField(max_length=48)
    rank = models.SmallIntegerField()
    peak_rank = models.SmallIntegerField()
    tone = models.CharField(max_length=8)
    state = models.CharField(max_length=9, choices=AlarmState.choices)
    opened_at = models.DateTimeField()  # event time
    changed_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()  # when the platform knew
    acknowledged_by = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    acknowledged_at = models.DateTimeField(null=True)
    value = models.FloatField(null=True)
    message_zh = models.TextField()
    message_en = models.TextField()
    evidence = models.JSONField(default=dict)
    late = models.BooleanField(default=False)
    corrected = models.IntegerField(default=0)
    joins = models.CharField(max_length=80, blank=True, db_default="")  # alarm whose notice this one shares (`near`)
    score = models.CharField(max_length=12, blank=True)  # hit, false_alarm, miss, none: what the case said was true

    class Meta:
        indexes = [
            models.Index(fields=["-opened_at"], name="watch_alarm_opened"),
            models.Index(fields=["town", "-opened_at"], name="watch_alarm_town"),
            models.Index(fields=["rule", "-opened_at"], name="watch_alarm_rule"),
            models.Index(fields=["entity", "-opened_at"], name="watch_alarm_entity"),
            models.Index(
                fields=["-rank", "-opened_at"],
                name="watch_alarm_open",
                condition=models.Q(state__in=["open", "latched"]),
            ),
        ]


class AlarmEvent(models.Model):
    """One step of an alarm's life as the judge or a person made it."""

    id = models.CharField(primary_key=True, max_length=120)
    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="events", db_constraint=False)
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    level = models.CharField(max_length=48, blank=True)
    rank = models.SmallIntegerField(null=True)
    value = models.FloatField(null=True)
    message_zh = models.TextField(blank=True)
    message_en = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)
    by = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")


class JudgeState(models.Model):
    """What intake and rules remember between batches; opaque rows of the kernel."""

    pk = models.CompositePrimaryKey("kind", "key")
    kind = models.CharField(max_length=24)
    key = models.CharField(max_length=300)
    body = models.BinaryField()
    space = space_field()


class ReleaseRequest(models.Model):
    """A latched alarm that a person acknowledged: the worker tells the judge and removes the row."""

    alarm = models.OneToOneField(Alarm, on_delete=models.CASCADE, primary_key=True, db_constraint=False)
    at = models.DateTimeField()
    space = space_field()


class StreamCursor(models.Model):
    """How far a stream has been committed here; `created` tells a stream from a later one of the same name."""

    stream = models.CharField(max_length=64)
    sink = models.CharField(max_length=32)
    created = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    space = space_field()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["space", "stream", "sink"], name="watch_cursor_once")]


class SetAside(models.Model):
    """A value that was not taken (待处理数据), with the reason and the next step."""

    seq = models.BigIntegerField()
    stream = models.CharField(max_length=64)
    device = models.CharField(max_length=64, blank=True)
    entity = models.CharField(max_length=64, blank=True)
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    property = models.CharField(max_length=120, blank=True)
    raw = models.TextField()
    code = models.CharField(max_length=32)
    reason_zh = models.TextField()
    reason_en = models.TextField()
    hint_zh = models.TextField(blank=True)
    hint_en = models.TextField(blank=True)
    observed_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    state = models.CharField(max_length=8, default="open", db_default="open")  # open, fixed, dropped
    fixed = models.JSONField(null=True)  # what was sent again: property, value, unit, at
    fixed_by = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    fixed_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["-received_at"], name="watch_setaside_open", condition=models.Q(state="open")),
            models.Index(fields=["town", "state"], name="watch_setaside_town"),
        ]


class DoorCounter(models.Model):
    """Readings per hour, door and outcome (`taken` or a reason code)."""

    hour = models.DateTimeField()
    door = models.CharField(max_length=24)
    code = models.CharField(max_length=32)
    count = models.BigIntegerField(default=0)
    space = space_field()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["space", "hour", "door", "code"], name="watch_counter_once")]


class IndicatorNow(models.Model):
    """The current value of a vital sign in an area."""

    pk = models.CompositePrimaryKey("indicator", "area")
    indicator = models.CharField(max_length=120)
    area = models.CharField(max_length=15)
    value = models.FloatField(null=True)
    band = models.SmallIntegerField(null=True)  # index into the indicator's bands
    n = models.IntegerField()
    stale = models.IntegerField()
    at = models.DateTimeField(null=True)  # the newest reading used; none: no reading is fresh
    space = space_field()


class WarningState(models.TextChoices):
    PROPOSED = "proposed"  # by an alarm, for a person to take up
    DRAFT = "draft"
    REVIEWED = "reviewed"
    SIGNED = "signed"
    PUBLISHED = "published"
    CHANGED = "changed"  # replaced by a later warning
    LIFTED = "lifted"
    REJECTED = "rejected"

    @classmethod
    def told(cls) -> tuple[str, ...]:
        """States of a warning that was published."""
        return (cls.PUBLISHED.value, cls.CHANGED.value, cls.LIFTED.value)


class Warning(models.Model):
    """A warning (预警) of a named authority. No machine signs one."""

    kind = models.CharField(max_length=120)  # global id
    level = models.CharField(max_length=48)
    rank = models.SmallIntegerField()
    tone = models.CharField(max_length=8)
    town = models.CharField(max_length=9, blank=True)  # empty: the whole district
    area = models.CharField(max_length=15)
    space = space_field()
    state = models.CharField(max_length=9, choices=WarningState.choices)
    title_zh = models.CharField(max_length=200)
    title_en = models.CharField(max_length=240)
    text_zh = models.TextField()
    text_en = models.TextField()
    proposed_by = models.ForeignKey(Alarm, on_delete=models.SET_NULL, null=True, db_constraint=False, related_name="+")
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="replaced_by")
    # Of a warning that another authority issued and that was recorded here; empty: our own.
    issuer_zh = models.CharField(max_length=120, blank=True, db_default="")
    issuer_en = models.CharField(max_length=160, blank=True, db_default="")
    message_id = models.CharField(max_length=120, blank=True, db_default="")  # the number that the issuer gave it
    issued_at = models.DateTimeField(null=True)
    drafted_by = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    drafter = models.CharField(max_length=90, blank=True, db_default="")  # the person (Actor.who); none: an alarm
    reviewed_by = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    signed_by = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True)
    signed_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)  # changed or lifted

    said_to_all = True  # of the district, or of the town it speaks to

    @property
    def told(self) -> bool:
        """Whether it was published: residents and firms read no draft."""
        return self.state in WarningState.told()

    @property
    def line(self) -> str:
        """Of its kind's class, as the database works it out."""
        return line_of(self.kind.rpartition(".")[0], "")

    class Meta:
        indexes = [models.Index(fields=["state", "-created_at"], name="watch_warning_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["space", "kind", "message_id"],
                condition=~models.Q(message_id=""),
                name="watch_warning_message_once",
            )
        ]


class WarningStep(models.Model):
    """One step of a warning's life, by a person through a post or by a process."""

    warning = models.ForeignKey(Warning, on_delete=models.CASCADE, related_name="steps")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    step = models.CharField(max_length=16)
    at = models.DateTimeField()
    post = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    actor = models.CharField(max_length=80)
    note = models.TextField(blank=True)


class WarningReceipt(models.Model):
    """A post that must confirm a published warning (签收). `town` is the warning's."""

    warning = models.ForeignKey(Warning, on_delete=models.CASCADE, related_name="receipts")
    post = models.ForeignKey("people.Post", on_delete=models.PROTECT, related_name="+")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    sent_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True)
    received_by = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["warning", "post"], name="watch_receipt_once")]


class RuleScore(models.Model):
    """What people said of a rule version's alarms when they closed its cases."""

    pk = models.CompositePrimaryKey("rule", "rule_version")
    rule = models.CharField(max_length=120)
    rule_version = models.CharField(max_length=64)
    hit = models.IntegerField(default=0)
    false_alarm = models.IntegerField(default=0)
    miss = models.IntegerField(default=0)
    space = space_field()


class TakenUp(models.Model):
    """From when on the worker judged with the signed changes of rules up to a serial (taken_up.py)."""

    at = models.DateTimeField()  # in the time of the space
    serial = models.IntegerField()
    space = space_field()


class Heartbeat(models.Model):
    """The last sign of life of a process, with what it says of itself (lag, last batch); read by /healthz."""

    process = models.CharField(primary_key=True, max_length=24)
    at = models.DateTimeField()
    body = models.JSONField(default=dict)
