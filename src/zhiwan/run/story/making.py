"""The space of a story: its row with the clock, copies of some things of the city, and devices of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from zhiwan.city.people.acting import LIVE, acting_system
from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities, save_relations
from zhiwan.city.registry.models import Entity, Relation, Space
from zhiwan.city.watch.hints import announce_later
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.facts.spaces import SpaceClock, Span
from zhiwan.kernel.packs.stories import Story


class SpaceThere(InputRefused):
    code = "STORY-001"
    fact = 'the space "{space}" is there already'
    detail = "A story is played once in its space; what came of it stays readable until it is dropped."
    hint = "zhiwan story drop {space}"


class NothingToCopy(InputRefused):
    code = "STORY-002"
    fact = "the story needs things of the type {type}, and the district has none"
    detail = "A story copies things that are registered in the live space."
    hint = "Load the demonstration (zhiwan demo load), or register some."


@dataclass(frozen=True)
class Thing:
    """A thing of the story; its device has the same id."""

    id: str
    type: str
    name: str
    fields: dict[str, Any]
    number: int  # among those of its type


@dataclass(frozen=True)
class Made:
    """The space is there; its devices may come in."""

    space: str
    clock: SpaceClock
    things: list[Thing]
    secrets: dict[str, str]


@transaction.atomic
def make_space(story: Story, *, now: datetime, space: str = "") -> Made:
    """All or nothing. The clock stands at the story's start until the first step is planned."""
    space = space or story.id
    if space == LIVE or Space.objects.filter(id=space).exists():
        raise SpaceThere(space=space)
    clock = SpaceClock((Span(now, story.start, 0.0),))
    with acting_system("cli"):
        found = [(kind.type, _some(kind.type, kind.count)) for kind in story.things]
        chosen = {one.id: one for _, group in found for one in group}
        links = list(
            Relation.objects.filter(from_entity__in=chosen, to_entity__in=chosen).values_list(
                "from_entity_id", "link", "to_entity_id"
            )
        )
        Space.objects.create(
            id=space, kind="story", title_zh=story.title.zh, title_en=story.title.en, clock=clock.as_json(), told={}
        )
    with acting_system("cli", space=space):
        save_entities(drafts=[_copy(space, one) for one in chosen.values()], at=story.start)
        save_relations(
            relations=[(_id(space, start), link, _id(space, end)) for start, link, end in links], at=story.start
        )
        announce_later("space", id=space)
        secrets = create_devices(pairs=[(_id(space, id), _id(space, id)) for id in chosen], simulated=True, at=now)
    things = [
        Thing(_id(space, one.id), one.type, one.name, one.fields, number)
        for _, group in found
        for number, one in enumerate(group)
    ]
    return Made(space, clock, things, secrets)


def _some(type: str, count: int) -> list[Entity]:
    found = list(Entity.objects.filter(type=type, active=True).order_by("-simulated", "id")[:count])
    if not found:
        raise NothingToCopy(type=type)
    return found


def _id(space: str, id: str) -> str:
    return f"{space}-{id}"[:64]


def _copy(space: str, one: Entity) -> EntityDraft:
    return EntityDraft(
        id=_id(space, one.id),
        type=one.type,
        name=one.name,
        name_en=one.name_en,
        area=one.area,
        lon=one.lon,
        lat=one.lat,
        fields=one.fields,
        simulated=True,
    )
