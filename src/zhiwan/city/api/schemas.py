"""What the API gives out. Field names are the words of GLOSSARY.md; times are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from ninja import Schema

Item = TypeVar("Item")


class ErrorOut(Schema):
    code: str
    fact: str
    detail: str
    hint: str


class TextOut(Schema):
    zh: str
    en: str


class LevelOut(Schema):
    id: str
    title: TextOut
    rank: int
    tone: str


class PageOut(Schema, Generic[Item]):
    """Rows of one page; `total` counts all of them."""

    rows: list[Item]
    total: int
    page: int
    size: int


class EntityOut(Schema):
    id: str
    type: str
    name: str
    name_en: str
    area: str
    town: str
    lon: float | None
    lat: float | None
    simulated: bool


class ValueOut(Schema):
    property: str
    title: TextOut
    unit: str
    value: float | None
    observed_at: datetime | None
    stale: bool
    flags: list[str]
    source: str
    derived: bool
    masked: bool


class FieldOut(Schema):
    """`masked`: the value is a mask, because its grade is above what the caller's post sees."""

    id: str
    title: TextOut
    value: Any
    unit: str | None
    grade: int
    kind: str | None
    masked: bool


class LinkOut(Schema):
    link: str
    outgoing: bool
    entity: str


class EntityDetailOut(EntityOut):
    fields: list[FieldOut]
    links: list[LinkOut]
    values: list[ValueOut]


class PointOut(Schema):
    observed_at: datetime
    value: float | None
    n: int | None = None


class HistoryOut(Schema):
    entity: str
    property: str
    unit: str
    every: str | None
    aggregate: str | None
    points: list[PointOut]


class IndicatorOut(Schema):
    id: str
    title: TextOut
    unit: str
    pack: str
    area: str
    value: float | None
    tone: str
    band: TextOut | None
    n: int
    stale: int
    at: datetime | None


class AlarmOut(Schema):
    id: str
    rule: str
    rule_version: str
    pack: str
    entity: EntityOut
    property: str
    level: LevelOut
    state: str
    message: TextOut
    value: float | None
    unit: str
    opened_at: datetime
    changed_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    late: bool
    corrected: int
    score: str


class ParameterOut(Schema):
    id: str
    title: TextOut
    value: Any
    unit: str | None
    since: str
    source: str
    verify: bool


class AlarmStepOut(Schema):
    kind: str
    at: datetime
    recorded_at: datetime
    level: LevelOut | None
    value: float | None
    message: TextOut


class AlarmDetailOut(AlarmOut):
    evidence: dict[str, Any]
    parameters: list[ParameterOut]
    steps: list[AlarmStepOut]
    case: int | None


class WarningOut(Schema):
    id: int
    kind: str
    kind_title: TextOut
    authority: TextOut
    level: LevelOut
    area: str
    state: str
    title: TextOut
    text: TextOut
    issuer: TextOut | None
    message_id: str
    issued_at: datetime | None
    proposed_by: str | None
    replaces: int | None
    created_at: datetime
    signed_at: datetime | None
    published_at: datetime | None


class CaseOut(Schema):
    id: int
    kind: str
    title: TextOut
    area: str
    entity: str | None
    alarm: str | None
    state: str
    role: str
    opened_at: datetime
    due_take: datetime
    due_handle: datetime
    taken_at: datetime | None
    handled_at: datetime | None
    closed_at: datetime | None
    late: bool
    outcome: str
    note: str


class RefusedRow(Schema):
    """A row, or with `property` one value of it, that was not taken. `row` counts from 0."""

    row: int
    device: str
    property: str
    code: str
    reason: TextOut
    hint: TextOut
    row_taken: bool


class ObservationsOut(Schema):
    """Rows read, rows accepted (stored in the stream), values in them, and the reason for each refusal."""

    rows: int
    accepted: int
    values: int
    refused: list[RefusedRow]
