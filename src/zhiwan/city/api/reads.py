"""Reads of the API, each in the scope of the token's post. Pages count from 1; areas are code prefixes."""

# No postponed annotations here: ninja reads the real types through as_caller's wrapper.
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query, Router

from zhiwan.city.api import schemas
from zhiwan.city.api.auth import as_caller
from zhiwan.city.api.errors import NotFound, ParametersRefused
from zhiwan.city.cases import queries as cases_queries
from zhiwan.city.packs_loaded import packs, region
from zhiwan.city.people import guard
from zhiwan.city.registry import clock
from zhiwan.city.registry import queries as registry
from zhiwan.city.watch import queries as watch
from zhiwan.kernel.packs.models import parse_duration

router = Router()
PageNumber = Annotated[int, Query(ge=1, le=100_000)]
PageSize = Annotated[int, Query(ge=1, le=500)]
Code = Annotated[str | None, Query(pattern=r"^\d{2,15}$")]
Word = Annotated[str | None, Query(max_length=120)]
LONGEST_RAW = timedelta(days=31)
MOST_POINTS = 50_000


@router.get("/entities", response=schemas.PageOut[schemas.EntityOut], summary="Entities by type, area or text")
@as_caller("entity.read")
def entities(
    request: HttpRequest,
    type: Word = None,
    area: Code = None,
    text: Word = None,
    page: PageNumber = 1,
    size: PageSize = 50,
) -> Any:
    return registry.entities(type=type, area=area, text=text, page=page, size=size)


@router.get(
    "/entities/{id}", response=schemas.EntityDetailOut, summary="One entity with fields, links and latest values"
)
@as_caller("entity.read")
def entity(request: HttpRequest, id: str) -> Any:
    detail = registry.entity_detail(id)
    if detail is None:
        raise NotFound(thing="entity", thing_plural="entities", id=id)
    links = [{"link": one.link, "outgoing": one.outgoing, "entity": one.entity.id} for one in detail.links]
    own = schemas.EntityOut.from_orm(detail.row).dict()
    return {**own, "fields": detail.fields, "links": links, "values": watch.latest_of(id)}


@router.get("/entities/{id}/history", response=schemas.HistoryOut, summary="A property's history, raw or by buckets")
@as_caller("entity.read")
def history(
    request: HttpRequest,
    id: str,
    property: str,
    from_: Annotated[datetime, Query(alias="from")],
    to: datetime,
    every: Word = None,
    aggregate: Literal["mean", "min", "max", "sum", "count", "last"] = "mean",
) -> Any:
    detail = registry.entity_detail(id)
    if detail is None:
        raise NotFound(thing="entity", thing_plural="entities", id=id)
    declared = packs().type(detail.row.type).properties.get(property)
    if declared is None:
        known = ", ".join(packs().type(detail.row.type).properties)
        raise ParametersRefused(problems=f'property: "{property}" is not one of {known}')
    start, end = _aware("from", from_), _aware("to", to)
    bucket = _bucket(every)
    if end <= start:
        raise ParametersRefused(problems="to: must be later than from")
    if bucket is None and end - start > LONGEST_RAW:
        raise ParametersRefused(problems=f"every: is needed for a span of more than {LONGEST_RAW.days} days")
    if bucket is not None and (end - start) / bucket > MOST_POINTS:
        raise ParametersRefused(problems=f"every: gives more than {MOST_POINTS} points; choose a longer one")
    points = watch.history(id, property, start, end, every=bucket, aggregate=aggregate)
    return {
        "entity": id,
        "property": property,
        "unit": declared.unit,
        "every": every,
        "aggregate": aggregate if bucket else None,
        "points": [{"observed_at": at, "value": value, "n": n} for at, value, n in points],
    }


def _bucket(every: str | None) -> timedelta | None:
    if every is None:
        return None
    try:
        span = parse_duration(every)
    except ValueError as problem:
        raise ParametersRefused(problems=f"every: {problem}") from problem
    if not isinstance(span, timedelta) or span <= timedelta(0):
        raise ParametersRefused(problems="every: must be longer than nothing")
    return span


def _aware(name: str, at: datetime) -> datetime:
    """Times carry their zone: a time without one means something else to everybody."""
    if at.tzinfo is None:
        raise ParametersRefused(problems=f"{name}: needs a zone, such as 2026-07-01T08:00:00+08:00")
    return at


@router.get("/indicators", response=list[schemas.IndicatorOut], summary="Vital signs of an area")
@as_caller("indicator.read")
def indicators(request: HttpRequest, area: Code = None) -> Any:
    return watch.board(area or region())


@router.get("/alarms", response=schemas.PageOut[schemas.AlarmOut], summary="Alarms, newest first")
@as_caller("alarm.read")
def alarms(
    request: HttpRequest,
    state: Literal["open", "latched", "cleared"] | None = None,
    level: Word = None,
    area: Code = None,
    pack: Word = None,
    since: datetime | None = None,
    page: PageNumber = 1,
    size: PageSize = 50,
) -> Any:
    after = _aware("since", since) if since else None
    return watch.alarms(state=state, level=level, area=area, pack=pack, since=after, page=page, size=size)


@router.get("/alarms/{id}", response=schemas.AlarmDetailOut, summary="One alarm with the evidence it was opened on")
@as_caller("alarm.read")
def alarm(request: HttpRequest, id: str) -> Any:
    detail = watch.alarm_detail(id)
    if detail is None:
        raise NotFound(thing="alarm", thing_plural="alarms", id=id)
    own = schemas.AlarmOut.from_orm(detail.row).dict()
    return {
        **own,
        "evidence": detail.evidence,
        "parameters": detail.parameters,
        "steps": detail.steps,
        "case": cases_queries.case_of_alarm(id) if guard.may_open("case.read") else None,
    }


@router.get("/warnings", response=schemas.PageOut[schemas.WarningOut], summary="Warnings, newest first")
@as_caller("warning.read")
def warnings(
    request: HttpRequest, state: Word = None, area: Code = None, page: PageNumber = 1, size: PageSize = 50
) -> Any:
    return watch.warnings(state=state, area=area, page=page, size=size)


@router.get("/cases", response=schemas.PageOut[schemas.CaseOut], summary="Cases, newest first")
@as_caller("case.read")
def cases(
    request: HttpRequest,
    state: Literal["open", "taken", "handled", "closed", "running"] | None = None,
    area: Code = None,
    kind: Word = None,
    page: PageNumber = 1,
    size: PageSize = 50,
) -> Any:
    return cases_queries.cases(at=clock.now(), state=state, area=area, kind=kind, page=page, size=size)
