"""What a person does to an alarm itself: see it. Everything else happens to its case or its warning."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from zhiwan.city.people import audit, guard
from zhiwan.city.registry import clock
from zhiwan.city.watch import hints
from zhiwan.city.watch.models import Alarm, AlarmEvent, AlarmState, ReleaseRequest
from zhiwan.city.watch.queries.words import rule_or_none
from zhiwan.kernel.facts.errors import InputRefused


class AlarmUnknown(InputRefused):
    """No alarm of this id that the post may see."""

    code = "WATCH-010"
    fact = "there is no alarm {alarm}"
    hint = "Open it from the list of alarms."


class AcknowledgedAlready(InputRefused):
    """Someone was faster."""

    code = "WATCH-011"
    fact = "the alarm was acknowledged already"
    detail = "By {by} at {at}."
    hint = "Nothing is left to do here."


@transaction.atomic
def acknowledge_alarm(*, alarm_id: str, at: datetime | None = None) -> Alarm:
    """A person has seen the alarm. A latched rule's alarm may clear from now on."""
    now = at or clock.now()
    alarm = Alarm.objects.select_for_update(of=("self",)).filter(id=alarm_id).first()
    if alarm is None:
        raise AlarmUnknown(alarm=alarm_id)
    rule = rule_or_none(alarm.rule)
    actor = guard.require("alarm.acknowledge", on=alarm)
    if alarm.acknowledged_at is not None:
        raise AcknowledgedAlready(by=alarm.acknowledged_by, at=alarm.acknowledged_at)
    alarm.acknowledged_by, alarm.acknowledged_at = actor.post, now
    alarm.save(update_fields=["acknowledged_by", "acknowledged_at"])
    AlarmEvent.objects.create(
        id=f"{alarm.id}:acknowledged",
        alarm=alarm,
        town=alarm.town,
        kind="acknowledged",
        at=now,
        recorded_at=now,
        by=actor.post,
    )
    if rule is not None and rule.latched and alarm.state not in AlarmState.ended():
        ReleaseRequest.objects.create(alarm=alarm, at=now)
    audit.record("alarm.acknowledge", f"alarm:{alarm.id}", at=now)
    hints.announce_later("alarm", town=alarm.town, id=alarm.id, event="acknowledged", state=alarm.state)
    return alarm
