"""What a plan (预案) asks of whom: a response at a level, and its tasks with receipt."""

from __future__ import annotations

from django.db import models

from zhiwan.city.sql.spaces import space_field
from zhiwan.kernel.guard.people import line_of


class Response(models.Model):
    """A plan in force. One active response per plan."""

    plan = models.CharField(max_length=120)  # global id
    level = models.CharField(max_length=48)
    rank = models.SmallIntegerField()
    tone = models.CharField(max_length=8)
    state = models.CharField(max_length=8, default="active")  # active, ended
    town = models.CharField(max_length=9, blank=True)  # empty: the whole district
    area = models.CharField(max_length=15, blank=True)
    space = space_field()
    warning = models.ForeignKey("watch.Warning", on_delete=models.PROTECT, null=True, related_name="+")
    since = models.DateTimeField()
    changed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    said_to_all = True  # of the district, or of the town it is for

    @property
    def line(self) -> str:
        """Of its plan's class, as the database works it out."""
        return line_of(self.plan.rpartition(".")[0], "")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "area", "space"], name="plans_one_active", condition=models.Q(state="active")
            )
        ]


class Task(models.Model):
    """A plan's task for one post. `town` is the post's, so that a town sees its own."""

    response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="tasks")
    plan_task = models.CharField(max_length=48)
    level = models.CharField(max_length=48)  # the level that asked for it first
    role = models.CharField(max_length=48)
    post = models.ForeignKey("people.Post", on_delete=models.PROTECT, null=True, related_name="+")
    text_zh = models.TextField()
    text_en = models.TextField()
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    issued_at = models.DateTimeField()
    receipt_due = models.DateTimeField()
    receipted_at = models.DateTimeField(null=True)
    receipted_by = models.CharField(max_length=80, blank=True)
    done_due = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=80, blank=True)
    note = models.TextField(blank=True)

    @property
    def own(self) -> list[str]:
        """Whose own it is: its post's, or its role's while no post holds it."""
        return [f"post:{self.post_id}" if self.post_id else f"role:{self.role}"]

    @property
    def line(self) -> str:
        """Its response's."""
        return self.response.line

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["response", "plan_task", "post"], name="plans_task_once", nulls_distinct=False
            )
        ]
