"""Reads of what is watched. Titles and messages are `Text(zh, en)`; times are aware UTC datetimes.

map.py
    overview() -> Overview                              figures of the first page
    map_state() -> dict                                 compact JSON for the map: layers and one row per entity
indicators.py
    board(area) -> list[IndicatorRow]                   vital signs of an area
    by_area(indicator, level="town") -> list[IndicatorRow]
values.py
    latest_of(entity_id) -> list[LatestRow]             every declared property with its newest value and age
    history(entity_id, property, start, end, every=None, aggregate="mean") -> list[(observed_at, value, n)]
alarms.py
    alarms(state=None, level=None, area=None, pack=None, since=None, rule=None, entity=None, page=1, size=50)
        -> Page[AlarmRow]
        state: open (open and latched), latched, cleared, withdrawn; pack: pack id
    alarm_detail(id) -> AlarmDetail | None              row, rule facts, evidence, parameters with source, events
    alarm_chart(id) -> AlarmChart | None                readings from the lake against the limits in force
    open_by_tone() -> dict[tone, count]
    ../recheck.py: recheck_alarm(alarm_id=, at=None) -> Recheck      复核 by other engines
rules.py
    rules() -> list[RuleRow]
    rule_facts(rule_id) -> RuleFacts | None             text in force, parameters' history, scores
    rules_using(parameter) -> list[RuleRow]
data.py
    set_aside(state="open", code=None, device=None, page=1, size=50) -> Page[SetAsideRow]
    set_aside_counts() -> list[(code, count)]           open ones by reason
    quality(start, end) -> QualityFigures               by property and by entity, from the lake and the door counters
    door_figures(start, end) -> list[DoorFigure]
warnings.py
    warnings(state=None, area=None, page=1, size=50) -> Page[WarningRow]
    warning_detail(id) -> WarningDetail | None          steps, receipts, what it replaces, which actions the post may do
    warning_kinds() -> list[WarningKindRow]             with their levels, for the form
"""

from zhiwan.city.watch.queries.alarms import (
    AlarmChart,
    AlarmDetail,
    AlarmRow,
    alarm_chart,
    alarm_detail,
    alarms,
    open_by_tone,
)
from zhiwan.city.watch.queries.data import (
    QualityFigures,
    SetAsideRow,
    door_figures,
    quality,
    set_aside,
    set_aside_counts,
)
from zhiwan.city.watch.queries.indicators import IndicatorRow, board, by_area
from zhiwan.city.watch.queries.map import Overview, map_state, overview
from zhiwan.city.watch.queries.rules import RuleFacts, RuleRow, UsedByRule, rule_facts, rules, rules_using
from zhiwan.city.watch.queries.values import LatestRow, history, latest_of
from zhiwan.city.watch.queries.warnings import (
    WarningDetail,
    WarningKindRow,
    WarningRow,
    warning_detail,
    warning_kinds,
    warnings,
)

__all__ = [
    "AlarmChart",
    "AlarmDetail",
    "AlarmRow",
    "IndicatorRow",
    "LatestRow",
    "Overview",
    "QualityFigures",
    "RuleFacts",
    "RuleRow",
    "SetAsideRow",
    "UsedByRule",
    "WarningDetail",
    "WarningKindRow",
    "WarningRow",
    "alarm_chart",
    "alarm_detail",
    "alarms",
    "board",
    "by_area",
    "door_figures",
    "history",
    "latest_of",
    "map_state",
    "open_by_tone",
    "overview",
    "quality",
    "rule_facts",
    "rules",
    "rules_using",
    "set_aside",
    "set_aside_counts",
    "warning_detail",
    "warning_kinds",
    "warnings",
]
