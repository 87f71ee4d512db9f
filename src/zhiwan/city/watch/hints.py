"""Hints to open pages that something changed. Nothing may depend on one: a lost hint costs a page a moment.

Shapes (each has kind, town and space):
    value      {entity, property, value, at (ms), quality}
    alarm      {id, event, state, entity, rank, tone, level, message{zh,en}, at (ms)}
    indicator  {indicator, area, value, n, stale, at (ms)}
    warning    {id, state, rank, tone}      case {id, state}      response {id}      task {id}      set_aside {n | id}
    space      {id}   one was made or dropped; told to every page, whatever its space
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from django.db import transaction

from zhiwan.city.packs_loaded import packs, the_bus
from zhiwan.city.people.acting import current_space
from zhiwan.city.watch.alarm_life import Applied
from zhiwan.city.watch.queries.words import rule_or_none
from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.kernel.packs.models import PRIVATE_GRADE
from zhiwan.kernel.packs.packset import PackSet

log = logging.getLogger(__name__)
Hint = dict[str, Any]
MOST_BYTES = 500_000  # of one message; the bus takes one megabyte


def announce(hints: Sequence[Hint]) -> None:
    """Tell open pages now. Never raises: who cannot be told fetches later.

    Nobody acts in the stream, so nobody's grade is known there: values of a private grade are never told.
    """
    if graded := _private_properties():
        hints = [hint for hint in hints if hint["kind"] != "value" or hint["property"] not in graded]
    if not hints:
        return
    try:
        bus = the_bus()
    except PartUnavailable as problem:
        log.debug("no hint sent: %s", problem)
        return
    part: list[bytes] = []
    size = 0
    for hint in hints:
        body = orjson.dumps(hint)
        if part and size + len(body) > MOST_BYTES:
            bus.announce(b"[" + b",".join(part) + b"]")
            part, size = [], 0
        part.append(body)
        size += len(body) + 1
    bus.announce(b"[" + b",".join(part) + b"]")


def _private_properties() -> frozenset[str]:
    """Names of properties that some type grades as private. A hint does not know its type, so the name decides."""
    return _private_in(packs())


@lru_cache(maxsize=2)
def _private_in(loaded: PackSet) -> frozenset[str]:
    return frozenset(
        name
        for kind in loaded.types.values()
        for name, declared in kind.properties.items()
        if declared.grade >= PRIVATE_GRADE
    )


def announce_later(kind: str, *, town: str = "", **facts: Any) -> None:
    """For actions: tell open pages after the commit."""
    hint = {"kind": kind, "town": town, "space": current_space(), **facts}
    transaction.on_commit(lambda: announce([hint]))


def milliseconds(at: datetime) -> int:
    """An instant as a browser counts it."""
    return int(at.timestamp() * 1000)


def of_value(entity: str, property: str, at: int, value: float, quality: int, town: str) -> Hint:
    """A new latest value; `at` in milliseconds."""
    return {
        "kind": "value",
        "town": town,
        "space": current_space(),
        "entity": entity,
        "property": property,
        "value": value,
        "at": at,
        "quality": quality,
    }


def of_alarm(applied: Applied) -> Hint:
    """An alarm that opened, changed or ended. One about a private property says no more than its rule's title."""
    zh, en = applied.message_zh, applied.message_en
    rule = rule_or_none(applied.rule)
    if rule is not None and rule.watch.partition(".")[2] in _private_properties():
        zh, en = rule.title.zh, rule.title.en
    return {
        "kind": "alarm",
        "town": applied.town,
        "space": current_space(),
        "id": applied.alarm_id,
        "event": applied.kind,
        "state": applied.state,
        "entity": applied.entity,
        "rank": applied.rank,
        "tone": applied.tone,
        "level": applied.level,
        "message": {"zh": zh, "en": en},
        "at": milliseconds(applied.at),
    }


def of_indicator(row: dict[str, Any]) -> Hint:
    """A vital sign. Figures of areas are public inside the house: no town is needed to see one."""
    return {
        "kind": "indicator",
        "town": "",
        "space": current_space(),
        **{key: row[key] for key in ("indicator", "area", "value", "n", "stale")},
        "at": milliseconds(row["at"]) if row["at"] else None,
    }
