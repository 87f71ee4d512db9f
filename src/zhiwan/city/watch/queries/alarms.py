"""Alarms for pages and the API: lists, one with all its evidence, and its chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count

from zhiwan.city.packs_loaded import lake, packs, region
from zhiwan.city.paging import Page, paged
from zhiwan.city.people.guard import subject_of
from zhiwan.city.people.shown import sees
from zhiwan.city.registry import clock
from zhiwan.city.registry.queries import EntityRow, entity_row
from zhiwan.city.watch.models import Alarm, AlarmState
from zhiwan.city.watch.queries.rules import RuleFacts, rule_facts
from zhiwan.city.watch.queries.words import (
    LevelWords,
    level_words,
    pack_of,
    plain,
    property_of,
    rule_or_none,
    scale_of,
    shown_value,
)
from zhiwan.kernel.guard.people import Subject
from zhiwan.kernel.packs.models import Text

CHART_BEFORE = timedelta(hours=6)
CHART_AFTER = timedelta(hours=2)
CHART_POINTS = 2000


@dataclass(frozen=True)
class AlarmRow:
    id: str
    rule: str
    rule_title: Text
    rule_version: str
    pack: str
    entity: EntityRow
    property: str
    level: LevelWords
    peak_rank: int
    state: str
    message: Text
    value: float | None
    value_shown: Text
    unit: str
    opened_at: datetime
    changed_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: Text | None
    late: bool
    corrected: int
    score: str
    joins: str  # alarm whose notice this one shares


@dataclass(frozen=True)
class UsedParameter:
    """A dated parameter as the judgement used it."""

    id: str
    title: Text
    value: Any
    unit: str | None
    since: str
    source: str
    verify: bool  # 待核实


@dataclass(frozen=True)
class AlarmStep:
    kind: str
    at: datetime
    recorded_at: datetime
    level: LevelWords | None
    value: float | None
    message: Text
    by: Text | None


@dataclass(frozen=True)
class AlarmDetail:
    row: AlarmRow
    subject: Subject  # as the guard sees it
    rule: RuleFacts | None
    evidence: dict[str, Any]
    parameters: list[UsedParameter]
    steps: list[AlarmStep]


@dataclass(frozen=True)
class Limit:
    """A horizontal line: what the value was held against."""

    title: Text
    value: float


@dataclass(frozen=True)
class AlarmChart:
    title: Text
    unit: str
    decimals: int
    points: list[tuple[datetime, float]]
    limits: list[Limit]
    opened_at: datetime
    cleared_at: datetime | None


def alarms(
    state: str | None = None,
    level: str | None = None,
    area: str | None = None,
    pack: str | None = None,
    since: datetime | None = None,
    rule: str | None = None,
    entity: str | None = None,
    page: int = 1,
    size: int = 50,
) -> Page[AlarmRow]:
    """Newest first; open ones with the worst first. `area` is a prefix."""
    found = Alarm.objects.select_related("entity", "acknowledged_by")
    if state == "open":
        found = found.exclude(state__in=AlarmState.ended()).order_by("-rank", "-opened_at", "id")
    else:
        found = found.order_by("-opened_at", "id")
        if state:
            found = found.filter(state=state)
    for key, value in (("level", level), ("rule", rule), ("entity_id", entity)):
        if value:
            found = found.filter(**{key: value})
    if area:
        found = found.filter(town=area[:9]) if len(area) >= 9 else found
        found = found.filter(area__startswith=area)
    if pack:
        found = found.filter(rule__startswith=f"{pack}.")
    if since:
        found = found.filter(changed_at__gte=since)
    return paged(found, alarm_row, page, size)


def open_by_tone() -> dict[str, int]:
    """How many open and latched alarms there are of each tone."""
    found = Alarm.objects.exclude(state__in=AlarmState.ended()).values_list("tone").annotate(n=Count("id"))
    return dict(found.order_by())


def alarm_row(alarm: Alarm) -> AlarmRow:
    """An alarm with its words. `entity` must be joined."""
    rule = rule_or_none(alarm.rule)
    pack = pack_of(alarm.rule)
    declared = property_of(alarm.entity.type, alarm.property)
    by = alarm.acknowledged_by
    title = rule.title if rule else plain(alarm.rule)
    hidden = declared is not None and not sees(declared.grade)
    message = title if hidden else Text(zh=alarm.message_zh or "—", en=alarm.message_en or "—")
    value = None if hidden else alarm.value
    return AlarmRow(
        id=alarm.id,
        rule=alarm.rule,
        rule_title=title,
        rule_version=alarm.rule_version,
        pack=pack,
        entity=entity_row(alarm.entity),
        property=alarm.property,
        level=level_words(scale_of(pack, rule.scale) if rule else None, alarm.level, alarm.rank, alarm.tone),
        peak_rank=alarm.peak_rank,
        state=alarm.state,
        message=message,
        value=value,
        value_shown=shown_value(declared, value),
        unit=declared.unit if declared else "",
        opened_at=alarm.opened_at,
        changed_at=alarm.changed_at,
        cleared_at=alarm.cleared_at,
        acknowledged_at=alarm.acknowledged_at,
        acknowledged_by=Text(zh=by.title_zh, en=by.title_en) if by else None,
        late=alarm.late,
        corrected=alarm.corrected,
        score=alarm.score,
        joins=alarm.joins,
    )


def alarm_detail(id: str) -> AlarmDetail | None:
    """Why it fired: everything the judge left as evidence, with the words of the law."""
    alarm = Alarm.objects.select_related("entity", "acknowledged_by").filter(id=id).first()
    if alarm is None:
        return None
    rule = rule_or_none(alarm.rule)
    row = alarm_row(alarm)
    declared = property_of(alarm.entity.type, alarm.property)
    hidden = declared is not None and not sees(declared.grade)
    scale = scale_of(pack_of(alarm.rule), rule.scale) if rule else None
    steps = [
        AlarmStep(
            kind=event.kind,
            at=event.at,
            recorded_at=event.recorded_at,
            level=level_words(scale, event.level, event.rank or 0, alarm.tone) if event.level else None,
            value=None if hidden else event.value,
            message=row.message if hidden else Text(zh=event.message_zh or "—", en=event.message_en or "—"),
            by=Text(zh=event.by.title_zh, en=event.by.title_en) if event.by else None,
        )
        for event in alarm.events.select_related("by").order_by("recorded_at", "at", "id")
    ]
    return AlarmDetail(
        row=row,
        subject=subject_of(alarm),
        rule=rule_facts(alarm.rule, recent=0),
        evidence={"parameters": alarm.evidence.get("parameters")} if hidden else alarm.evidence,
        parameters=_used(alarm.evidence),
        steps=steps,
    )


def _used(evidence: dict[str, Any]) -> list[UsedParameter]:
    book = packs().parameters
    found = []
    for one in evidence.get("parameters") or []:
        declared = book.history(one["id"], region()) if one.get("id") in book else None
        found.append(
            UsedParameter(
                id=str(one.get("id", "")),
                title=declared.title if declared else plain(str(one.get("id", ""))),
                value=one.get("value"),
                unit=declared.unit if declared else None,
                since=str(one.get("from", "")),
                source=str(one.get("source", "")),
                verify=bool(one.get("verify")),
            )
        )
    return found


def alarm_chart(id: str) -> AlarmChart | None:
    """The watched readings around the alarm, from the lake, and the limits the judgement used."""
    alarm = Alarm.objects.select_related("entity").filter(id=id).first()
    if alarm is None:
        return None
    declared = property_of(alarm.entity.type, alarm.property)
    if declared is not None and not sees(declared.grade):
        return None
    end = min((alarm.cleared_at or clock.now()) + CHART_AFTER, clock.now() + timedelta(minutes=5))
    start = alarm.opened_at - CHART_BEFORE
    every = None if end - start <= timedelta(days=2) else (end - start) / CHART_POINTS
    rows = lake().history(alarm.entity_id, alarm.property, start, end, every, "mean", None)
    points = [(at, value) for at, value in rows.select("observed_at", "value").iter_rows() if value is not None]
    return AlarmChart(
        title=declared.title if declared else plain(alarm.property),
        unit=declared.unit if declared else "",
        decimals=declared.decimals if declared else 2,
        points=points[-CHART_POINTS:],
        limits=_limits(alarm),
        opened_at=alarm.opened_at,
        cleared_at=alarm.cleared_at,
    )


def _limits(alarm: Alarm) -> list[Limit]:
    """Numbers the judge held the value against: fields of the entity and parameters that are single numbers."""
    found = []
    for name, value in (alarm.evidence.get("limits") or {}).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.append(Limit(_limit_title(alarm, name), float(value)))
    return found


def _limit_title(alarm: Alarm, name: str) -> Text:
    kind = packs().types.get(alarm.entity.type)
    if kind and name in kind.fields:
        return kind.fields[name].title
    book = packs().parameters
    full = f"{pack_of(alarm.rule)}.{name}" if f"{pack_of(alarm.rule)}.{name}" in book else name
    return book.history(full, region()).title if full in book else plain(name)
