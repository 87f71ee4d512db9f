"""How the judge's events become alarms: folded in memory per alarm, written set-based, each event once.

An event that is known already (same id) changes nothing, so an alarm can never be doubled: its id and its events' ids
are functions of rule, entity and time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from zhiwan.city.watch.models import AlarmState
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.judge.events import AlarmEvent

#: The judge's word for where an alarm stands → ours.
STATES: dict[str, str] = {
    "open": AlarmState.OPEN.value,
    "quiet": AlarmState.LATCHED.value,
    "cleared": AlarmState.CLEARED.value,
    "withdrawn": AlarmState.WITHDRAWN.value,
}
#: Events that say anew why the alarm is as it is; the others leave the alarm its evidence and keep theirs in the step.
EXPLAINING = ("opened", "raised", "lowered", "active", "corrected")
#: What an alarm takes over from its newest event as it is.
_OF_EVENT = (
    "rule", "rule_version", "property", "level", "rank", "peak_rank", "tone", "opened_at", "cleared_at",
    "message_zh", "message_en",
)  # fmt: skip


class EventWithoutAlarm(CityError):
    """An event speaks of an alarm that is not there and does not open one."""

    code = "WATCH-001"
    fact = "the event {event} speaks of the alarm {alarm}, which is not known"
    detail = "Only `opened` may come first."
    hint = "The judge's state and the alarms were kept apart; restore both from one backup."


@dataclass(frozen=True)
class Applied:
    """What an event did, for hints and jobs."""

    alarm_id: str
    kind: str
    rule: str
    entity: str
    town: str
    state: str
    level: str
    rank: int
    tone: str
    message_zh: str
    message_en: str
    at: datetime
    joins: str  # alarm whose notice this one shares; empty: its own


_NEW_EVENTS = """
-- keep_events: returns only those that were not known
INSERT INTO watch_alarmevent (id, alarm_id, town, kind, at, recorded_at, level, rank, value, message_zh, message_en,
                              evidence)
SELECT n.id, n.alarm_id, coalesce(e.town, ''), n.kind, n.at, n.recorded_at, n.level, n.rank, n.value, n.message_zh,
       n.message_en, n.evidence
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[],
            %s::smallint[], %s::float8[], %s::text[], %s::text[], %s::jsonb[])
     AS n(id, alarm_id, entity, kind, at, recorded_at, level, rank, value, message_zh, message_en, evidence)
LEFT JOIN registry_entity e ON e.id = n.entity
ON CONFLICT (id) DO NOTHING
RETURNING id
"""
_KNOWN = """
-- lock_alarms: what an event does not say anew of the alarms it changes
SELECT id, evidence, value, late, corrected, recorded_at, joins FROM watch_alarm
WHERE id = ANY (%s) ORDER BY id FOR UPDATE
"""
_PLACES = "SELECT id, town, area, space FROM registry_entity WHERE id = ANY (%s)"
#: Columns of an alarm that its folded form carries, in the order of _SAVE.
COLUMNS: dict[str, str] = {
    "id": "text", "rule": "text", "rule_version": "text", "entity_id": "text", "property": "text", "town": "text",
    "area": "text", "space": "text", "level": "text", "rank": "smallint", "peak_rank": "smallint", "tone": "text",
    "state": "text", "opened_at": "timestamptz", "changed_at": "timestamptz", "cleared_at": "timestamptz",
    "recorded_at": "timestamptz", "value": "float8", "message_zh": "text", "message_en": "text", "evidence": "jsonb",
    "late": "boolean", "corrected": "int", "joins": "text",
}  # fmt: skip
_CHANGING = (
    "level", "rank", "peak_rank", "tone", "state", "opened_at", "changed_at", "cleared_at", "value", "message_zh",
    "message_en", "evidence", "corrected", "joins",
)  # fmt: skip
_SAVE = f"""
-- save_alarms: insert new ones, change known ones; what people wrote (acknowledged, score) is not touched
INSERT INTO watch_alarm ({", ".join(COLUMNS)}, score)
SELECT n.*, '' FROM unnest({", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())}) AS n({", ".join(COLUMNS)})
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}
"""  # noqa: S608 - names are constants of this module
_RELEASED = "DELETE FROM watch_releaserequest WHERE alarm_id = ANY (%s)"


def apply_events(events: Sequence[AlarmEvent]) -> list[Applied]:
    """Write the judge's events (AlarmEvent, in the judge's order) that are new; what each did."""
    if not events:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_NEW_EVENTS, _event_columns(events))
        new = {id for (id,) in cursor.fetchall()}
        fresh = [event for event in events if event.id in new]
        if not fresh:
            return []
        alarms = _known(cursor, sorted({event.alarm_id for event in fresh}))
        cursor.execute(_PLACES, [sorted({event.entity for event in fresh})])
        places = {id: place for id, *place in cursor.fetchall()}
        applied = []
        for event in fresh:
            alarm = _fold(alarms.get(event.alarm_id), event, places.get(event.entity, ["", "", "live"]))
            alarms[event.alarm_id] = alarm
            applied.append(_applied(alarm, event))
        changed = [alarms[id] for id in sorted({event.alarm_id for event in fresh})]
        cursor.execute(_SAVE, [[_cell(alarm, name) for alarm in changed] for name in COLUMNS])
        ended = [alarm["id"] for alarm in changed if alarm["state"] in AlarmState.ended()]
        if ended:
            cursor.execute(_RELEASED, [ended])
    return applied


def _event_columns(events: Sequence[AlarmEvent]) -> list[list[Any]]:
    names = (
        "id",
        "alarm_id",
        "entity",
        "kind",
        "at",
        "recorded_at",
        "level",
        "rank",
        "value",
        "message_zh",
        "message_en",
    )
    columns = [[getattr(event, name) for event in events] for name in names]
    return [*columns, [json.dumps(event.evidence, ensure_ascii=False, default=str) for event in events]]


def _known(cursor: Any, ids: list[str]) -> dict[str, dict[str, Any]]:
    cursor.execute(_KNOWN, [ids])
    names = [column.name for column in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for alarm in found:
        # Raw cursors give jsonb as text: Django's own decoder sits in the model's field.
        if isinstance(alarm["evidence"], str):
            alarm["evidence"] = json.loads(alarm["evidence"])
    return {alarm["id"]: alarm for alarm in found}


def _fold(alarm: dict[str, Any] | None, event: AlarmEvent, place: Sequence[str]) -> dict[str, Any]:
    """The alarm after the event. The judge says how it stands; only what the city knows is added."""
    if alarm is None:
        if event.kind != "opened":
            raise EventWithoutAlarm(event=event.id, alarm=event.alarm_id)
        alarm = {"id": event.alarm_id, "recorded_at": event.recorded_at, "late": event.late, "corrected": 0}
        alarm |= {"value": event.value, "evidence": event.evidence, "joins": event.joins or ""}
    alarm |= {name: getattr(event, name) for name in _OF_EVENT}
    alarm |= {"entity_id": event.entity, "town": place[0], "area": place[1], "space": place[2]}
    alarm |= {"state": STATES[event.state], "changed_at": event.at}
    if event.kind in EXPLAINING:
        alarm |= {"value": event.value, "evidence": event.evidence}
    alarm["corrected"] += event.kind == "corrected"
    return alarm


def _applied(alarm: dict[str, Any], event: AlarmEvent) -> Applied:
    return Applied(
        alarm_id=alarm["id"],
        kind=event.kind,
        rule=event.rule,
        entity=event.entity,
        town=alarm["town"],
        state=alarm["state"],
        level=alarm["level"],
        rank=alarm["rank"],
        tone=alarm["tone"],
        message_zh=alarm["message_zh"],
        message_en=alarm["message_en"],
        at=event.at,
        joins=alarm["joins"],
    )


def _cell(alarm: dict[str, Any], name: str) -> Any:
    value = alarm[name]
    return json.dumps(value, ensure_ascii=False, default=str) if name == "evidence" else value
