"""What decides about a batch: intake and judge with the packs, entities, links and devices of this moment.

Made from packs and registry; replaced as a whole when the registry changes. What is remembered of the stream is not
in here, so a change of the registry forgets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

import polars as pl

from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.judge import RuleBook, World
from zhiwan.kernel.packs.models import EntityType, FieldDecl
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.sense import DeviceInfo, Intake

LIVE = "live"
Seen = Callable[[pl.DataFrame], pl.DataFrame]
BASE: dict[str, pl.DataType] = {
    "id": pl.String(),
    "name": pl.String(),
    "name_en": pl.String(),  # for messages in English; empty: the name as it is
    "town": pl.String(),
    "area": pl.String(),
    "lon": pl.Float64(),
    "lat": pl.Float64(),
}
LINKS: dict[str, pl.DataType] = {"from_id": pl.String(), "link": pl.String(), "to_id": pl.String()}


@dataclass(frozen=True)
class Brain:
    """Everything that decides and is not remembered."""

    book: RuleBook
    world: World
    intake: Intake


@dataclass(frozen=True)
class Registry:
    """Rows of the registry as the worker reads them."""

    entities: Sequence[Mapping[str, Any]]  # id, type, name, name_en, town, area, lon, lat, fields
    relations: Sequence[tuple[str, str, str]]  # from, link, to
    devices: Sequence[tuple[str, str]]  # device, entity
    elsewhere: frozenset[str] = frozenset()  # devices of other spaces


def make_brain(packs: PackSet, book: RuleBook, registry: Registry, region: str, seen: Seen, space: str = LIVE) -> Brain:
    """Put packs and registry together. Entities of undeclared types are left out: nothing can judge them.

    `seen` asks the lake which readings it has (Lake.seen), for duplicates older than what intake remembers.
    """
    types = {row["id"]: str(row["type"]) for row in registry.entities if row["type"] in packs.types}
    world = World(
        entities=entity_frames(packs.types, registry.entities, packs.parameters.zone),
        parameters=packs.parameters,
        links=pl.DataFrame(registry.relations, schema=LINKS, orient="row"),
        region=region,
        space=space,
    )
    devices = {
        device: DeviceInfo(entity=entity, type=types[entity]) for device, entity in registry.devices if entity in types
    }
    elsewhere = registry.elsewhere

    def concerns(device: str) -> bool:
        """A device that nobody knows is the live space's business; one of another space is nobody's here."""
        return space == LIVE and device not in elsewhere

    return Brain(book=book, world=world, intake=Intake(packs, devices, seen, concerns))


def entity_frames(
    types: Mapping[str, EntityType], rows: Iterable[Mapping[str, Any]], zone: tzinfo
) -> dict[str, pl.DataFrame]:
    """One frame for each declared type, with a column for each declared field; a wrong value is missing."""
    by_type: dict[str, list[Mapping[str, Any]]] = {name: [] for name in types}
    for row in rows:
        if row["type"] in by_type:
            by_type[row["type"]].append(row)
    return {name: _frame(types[name], found, zone) for name, found in by_type.items()}


def _frame(declared: EntityType, rows: Sequence[Mapping[str, Any]], zone: tzinfo) -> pl.DataFrame:
    schema = {**BASE, **{name: _column(field) for name, field in declared.fields.items()}}
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in BASE}
    for name, field in declared.fields.items():
        columns[name] = [_value(field, (row["fields"] or {}).get(name), zone) for row in rows]
    return pl.DataFrame(columns, schema=schema, strict=False)


def _column(field: FieldDecl) -> pl.DataType:
    return {"number": pl.Float64(), "boolean": pl.Boolean(), "date": UTC_US}.get(field.type, pl.String())


def _value(field: FieldDecl, value: Any, zone: tzinfo) -> Any:
    if value is None:
        return None
    if field.type == "number":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if field.type == "boolean":
        return value if isinstance(value, bool) else None
    if field.type == "date":
        # A day is its first moment in the place's own time, as in expressions.
        with suppress(ValueError, TypeError):
            return datetime.combine(date.fromisoformat(value), time(), zone).astimezone(UTC)
        return None
    return str(value)
