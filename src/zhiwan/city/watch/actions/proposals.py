"""Alarms propose warnings: a row for a person to take up, never more than one under way per kind and area.

A proposal speaks for the whole district: who is warned is the authority's decision, and it may draft a narrower one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from zhiwan.city.packs_loaded import region
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import Actor
from zhiwan.city.registry import clock
from zhiwan.city.watch import hints
from zhiwan.city.watch.actions.warnings import default_title, kind_of, level_of
from zhiwan.city.watch.models import Alarm, AlarmState, Warning, WarningState, WarningStep
from zhiwan.city.watch.queries.words import rule_or_none
from zhiwan.city.watch.warning_life import UNDER_WAY


@transaction.atomic
def propose_from_alarms(*, alarm_ids: Sequence[str], at: datetime | None = None) -> list[Warning]:
    """The proposals that these alarms' rules declare and that are not there yet. Safe to repeat."""
    actor = guard.require("warning.propose")
    now = at or clock.now()
    alarms = (
        Alarm.objects.filter(id__in=alarm_ids)
        .exclude(state__in=AlarmState.ended())
        .order_by("-rank", "opened_at", "id")
    )
    found = [_propose(alarm, actor, now) for alarm in alarms]
    return [one for one in found if one is not None]


def _propose(alarm: Alarm, actor: Actor, now: datetime) -> Warning | None:
    rule = rule_or_none(alarm.rule)
    if rule is None or rule.proposes is None or alarm.level not in rule.proposes.levels:
        return None
    kind = rule.proposes.warning
    level = level_of(kind, rule.proposes.levels[alarm.level])
    area = region()
    same = Warning.objects.select_for_update(of=("self",)).filter(kind=kind, area=area, space=alarm.space)
    under_way = same.filter(state__in=UNDER_WAY).order_by("-rank").first()
    published = same.filter(state=WarningState.PUBLISHED).order_by("-rank").first()
    if any(one is not None and one.rank >= level.rank for one in (under_way, published)):
        return None
    if under_way is not None and under_way.state != WarningState.PROPOSED:
        return None  # a person is at it; they see the alarm that is worse
    warning = under_way or Warning(
        kind=kind,
        area=area,
        town="",
        space=alarm.space,
        state=WarningState.PROPOSED,
        replaces=published,
        created_at=now,
    )
    declared = kind_of(kind)
    title = default_title(declared, level)
    warning.level, warning.rank, warning.tone = level.id, level.rank, level.tone
    warning.proposed_by = alarm
    warning.title_zh, warning.title_en = title.zh[:200], title.en[:240]
    warning.text_zh = f"{alarm.message_zh}。{declared.instructions.zh}"
    warning.text_en = f"{alarm.message_en}. {declared.instructions.en}"
    warning.save()
    WarningStep.objects.create(
        warning=warning, town="", step="propose", at=now, post=None, actor=actor.name, note=f"alarm:{alarm.id}"
    )
    audit.record("warning.propose", f"warning:{warning.id}", at=now, after={"alarm": alarm.id, "level": level.id})
    hints.announce_later("warning", id=warning.id, state=warning.state, rank=warning.rank, tone=warning.tone)
    return warning
