"""The things of the city as a look back judges them: those of today, with their fields and links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from zhiwan.city.packs_loaded import packs, region
from zhiwan.city.registry.fields import value_to_judge
from zhiwan.city.registry.models import Entity, Relation
from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.judge.world import LINK_SCHEMA, World
from zhiwan.kernel.packs.models import EntityType
from zhiwan.kernel.packs.parameters import ParameterBook

_OWN: dict[str, pl.DataType] = {
    "id": pl.String(), "name": pl.String(), "town": pl.String(), "area": pl.String(), "lon": pl.Float64(),
    "lat": pl.Float64(),
}  # fmt: skip
_DTYPES: dict[str, pl.DataType] = {"number": pl.Float64(), "boolean": pl.Boolean(), "date": UTC_US}
Frames = Mapping[str, pl.DataFrame]


def entities_of(types: Iterable[str]) -> dict[str, pl.DataFrame]:
    """A frame for each type, with a column for each declared field."""
    rows: dict[str, list[Entity]] = {name: [] for name in types}
    for one in Entity.objects.filter(type__in=list(rows), active=True).order_by("id"):
        rows[one.type].append(one)
    return {name: _frame(packs().type(name), found) for name, found in rows.items()}


def _frame(declared: EntityType, rows: Sequence[Entity]) -> pl.DataFrame:
    zone = packs().parameters.zone
    schema = _OWN | {name: _DTYPES.get(field.type, pl.String()) for name, field in declared.fields.items()}
    columns: dict[str, list[Any]] = {name: [getattr(one, name) for one in rows] for name in _OWN}
    for name, field in declared.fields.items():
        columns[name] = [value_to_judge(field, (one.fields or {}).get(name), zone) for one in rows]
    return pl.DataFrame(columns, schema=schema, strict=False)


def links_of(frames: Frames) -> pl.DataFrame:
    """The links between these things."""
    ids = [id for frame in frames.values() for id in frame["id"]]
    rows = Relation.objects.filter(from_entity__in=ids).values_list("from_entity_id", "link", "to_entity_id")
    return pl.DataFrame(list(rows), schema=LINK_SCHEMA, orient="row")


def world_with(parameters: ParameterBook, frames: Frames, links: pl.DataFrame) -> World:
    """The world of one text."""
    return World(entities=frames, parameters=parameters, links=links, region=region(), space="look back")
