"""Writes of the registry.

place.load_place(declared: PlaceDecl)                        areas, zones, bodies, posts; again after a change
place.compute_zone_members()                                 after entities were placed
save_entities(drafts: Sequence[EntityDraft]) -> int          insert or replace by id; all or none
set_owner(entity_ids, body) -> int
save_relations(relations: Iterable[tuple[from_id, link, to_id]]) -> int
create_devices(pairs: Iterable[tuple[device_id, entity_id]], simulated=False) -> dict[device_id, secret]
renew_secret(device_id) -> str       set_device_enabled(device_id, enabled)
reveal_field(entity_id, field, reason) -> value              one masked field whole, written into the audit
count_refusal(code, device, at=None)                         the broker's door tells of a refused connection

Secrets are 128 random bits, returned once; only their SHA-256 is kept.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import audit, guard
from zhiwan.city.people.actions import digest
from zhiwan.city.people.models import Organisation
from zhiwan.city.registry import clock
from zhiwan.city.registry.duties import duties, line_for
from zhiwan.city.registry.fields import problems_of
from zhiwan.city.registry.models import Area, Device, Entity, Relation
from zhiwan.kernel.facts.errors import InputRefused

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
BATCH = 2000


class EntityRefused(InputRefused):
    """An entity that does not fit its type, its area or the form of ids."""

    code = "REG-001"
    fact = 'the entity "{id}" cannot be kept'
    detail = "{problems}"
    hint = "Mend what is named; nothing of this call was kept."


class RelationRefused(InputRefused):
    """A relation between entities that the types do not declare."""

    code = "REG-002"
    fact = "the relation {from_id} – {link} – {to_id} cannot be kept"
    detail = "{problem}"
    hint = "Declare the link in the type, or name entities of the right types."


class DeviceRefused(InputRefused):
    """A device that cannot be registered or changed."""

    code = "REG-003"
    fact = 'the device "{id}" is refused'
    detail = "{problem}"
    hint = "A device id is 1 to 64 letters, digits, - or _; it reports for one known entity."


@dataclass(frozen=True)
class EntityDraft:
    """What is said of an entity. `area` is the narrowest area known (village or town; the district for its own)."""

    id: str
    type: str
    name: str
    area: str
    lon: float | None = None
    lat: float | None = None
    name_en: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False
    owner: str = ""  # the body that answers for it; empty: by the list of duties


@transaction.atomic
def save_entities(*, drafts: Sequence[EntityDraft], at: datetime | None = None) -> int:
    """Keep entities, checked against their types. All or none."""
    guard.require("registry.change")
    known_areas = set(Area.objects.values_list("code", flat=True))
    bodies, listed = set(Organisation.objects.values_list("id", flat=True)), duties()
    rows = []
    for draft in drafts:
        problems = _problems(draft, known_areas, bodies)
        if problems:
            raise EntityRefused(id=draft.id, problems="; ".join(problems))
        owner, line = line_for(draft.type, draft.owner, listed)
        rows.append(
            Entity(
                id=draft.id,
                type=draft.type,
                name=draft.name,
                name_en=draft.name_en,
                town=town_or_district(draft.area),
                area=draft.area,
                lon=draft.lon,
                lat=draft.lat,
                fields=dict(draft.fields),
                simulated=draft.simulated,
                owner=owner,
                line=line,
            )
        )
    Entity.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["type", "name", "name_en", "town", "area", "lon", "lat", "fields", "simulated", "owner", "line"],
    )
    subject = f"entity:{drafts[0].id}" if len(drafts) == 1 else f"entities:{len(drafts)}"
    audit.record("registry.save_entities", subject, at=at or clock.now(), after={"count": len(drafts)})
    return len(rows)


def _problems(draft: EntityDraft, known_areas: set[str], bodies: set[str]) -> list[str]:
    found = [] if ID.fullmatch(draft.id) else ["the id must be 1 to 64 letters, digits, - or _"]
    if draft.area not in known_areas:
        found.append(f'the area "{draft.area}" is not an area of this place')
    if draft.owner and draft.owner not in bodies:
        found.append(f'the owner "{draft.owner}" is not a body of this place')
    if (draft.lon is None) != (draft.lat is None):
        found.append("a position needs both lon and lat")
    elif draft.lon is not None and draft.lat is not None and not (-180 <= draft.lon <= 180 and -90 <= draft.lat <= 90):
        found.append("lon and lat are decimal degrees (WGS 84)")
    if draft.type not in packs().types:
        return [*found, f'no pack declares the type "{draft.type}"']
    return found + problems_of(packs().type(draft.type), draft.fields)


def town_or_district(area: str) -> str:
    """The town a guarded row carries: nine digits, or empty for what belongs to the whole district."""
    return area[:9] if len(area) >= 9 else ""


@transaction.atomic
def set_owner(*, entity_ids: Sequence[str], body: str, at: datetime | None = None) -> int:
    """The body that answers for these things, whatever the list of duties says; empty: by the list again."""
    guard.require("registry.change")
    if body and not Organisation.objects.filter(id=body).exists():
        raise EntityRefused(id=", ".join(entity_ids), problems=f'the owner "{body}" is not a body of this place')
    listed = duties()
    found = list(Entity.objects.filter(id__in=entity_ids))
    for thing in found:
        thing.owner, thing.line = line_for(thing.type, body, listed)
    Entity.objects.bulk_update(found, ["owner", "line"])
    after = {"owner": body, "ids": list(entity_ids)[:50]}
    audit.record("registry.set_owner", f"entities:{len(found)}", at=at or clock.now(), after=after)
    return len(found)


@transaction.atomic
def save_relations(*, relations: Iterable[tuple[str, str, str]], at: datetime | None = None) -> int:
    """Keep links between known entities; a link that is there already stays."""
    guard.require("registry.change")
    wanted = list(relations)
    ids = {id for one in wanted for id in (one[0], one[2])}
    known = Entity.objects.in_bulk(ids)
    rows = []
    for from_id, link, to_id in wanted:
        start, end = known.get(from_id), known.get(to_id)
        problem = _relation_problem(start, link, end)
        if problem or start is None or end is None:
            raise RelationRefused(from_id=from_id, link=link, to_id=to_id, problem=problem)
        rows.append(Relation(from_entity=start, link=link, to_entity=end, town=start.town))
    Relation.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
    audit.record("registry.save_relations", f"relations:{len(rows)}", at=at or clock.now())
    return len(rows)


def _relation_problem(start: Entity | None, link: str, end: Entity | None) -> str:
    if start is None or end is None:
        return "one of the entities is not registered"
    declared = packs().type(start.type).links.get(link)
    if declared is None:
        return f'the type {start.type} declares no link "{link}"'
    if declared.to != end.type:
        return f"the link leads to {declared.to}, {end.id} is a {end.type}"
    return ""


@transaction.atomic
def create_devices(
    *, pairs: Iterable[tuple[str, str]], simulated: bool = False, at: datetime | None = None
) -> dict[str, str]:
    """Register devices for entities; the new secrets by device id. A device that exists already is refused."""
    guard.require("registry.change")
    now = at or clock.now()
    wanted = list(pairs)
    entities = Entity.objects.in_bulk({entity for _, entity in wanted})
    known = set(Device.objects.filter(id__in=[id for id, _ in wanted]).values_list("id", flat=True))
    given: dict[str, str] = {}
    rows = []
    for id, entity_id in wanted:
        if not ID.fullmatch(id):
            raise DeviceRefused(id=id, problem="The id has another form.")
        if id in known or id in given:
            raise DeviceRefused(id=id, problem="It is registered already.")
        if entity_id not in entities:
            raise DeviceRefused(id=id, problem=f'The entity "{entity_id}" is not registered.')
        given[id] = secrets.token_urlsafe(16)
        rows.append(
            Device(
                id=id,
                entity_id=entity_id,
                town=entities[entity_id].town,
                secret_hash=digest(given[id]),
                simulated=simulated,
                created_at=now,
            )
        )
    Device.objects.bulk_create(rows, batch_size=BATCH)
    subject = f"device:{rows[0].id}" if len(rows) == 1 else f"devices:{len(rows)}"
    audit.record("registry.create_devices", subject, at=now, after={"count": len(rows), "simulated": simulated})
    return given


@transaction.atomic
def renew_secret(*, device_id: str, at: datetime | None = None) -> str:
    """A new secret; the old one opens nothing any more, and its connection is cut."""
    guard.require("registry.change")
    secret, now = secrets.token_urlsafe(16), timezone.now()
    fresh = {"secret_hash": digest(secret), "secret_at": now, "cut_at": now, "old_hash": None, "old_until": None}
    if Device.objects.filter(id=device_id).update(**fresh) != 1:
        raise DeviceRefused(id=device_id, problem="It is not registered.")
    audit.record("registry.renew_secret", f"device:{device_id}", at=at or clock.now())
    return secret


@transaction.atomic
def set_device_enabled(*, device_id: str, enabled: bool, at: datetime | None = None) -> None:
    """Let a device in, or keep it out."""
    guard.require("registry.change")
    if Device.objects.filter(id=device_id).update(enabled=enabled) != 1:
        raise DeviceRefused(id=device_id, problem="It is not registered.")
    audit.record("registry.set_device_enabled", f"device:{device_id}", at=at or clock.now(), after={"enabled": enabled})


@transaction.atomic
def reveal_field(*, entity_id: str, field: str, purpose: str, reason: str, at: datetime | None = None) -> Any:
    """The whole value of a masked field, for this once and a purpose of the register. The audit keeps who read which
    field for what and why, not the value."""
    entity = Entity.objects.filter(id=entity_id).first()
    declared = packs().type(entity.type).fields.get(field) if entity is not None else None
    if entity is None or declared is None:
        raise EntityRefused(id=entity_id, problems=f'it has no field "{field}" that this post may see')
    name = f"{entity.type}.{field}"
    guard.require("entity.reveal", on=entity, grade=declared.grade, reason=reason, field=name, under=purpose)
    now, after = at or timezone.now(), {"field": name, "grade": declared.grade, "purpose": purpose}
    audit.record("entity.reveal", f"entity:{entity.id}", at=now, after=after, purpose=reason.strip())
    return entity.fields.get(field)


def count_refusal(*, code: str, device: str, at: datetime | None = None) -> None:
    """Count a refused connection. Not audited: a door that is hammered must not fill the audit."""
    guard.require("registry.change")
    now = at or clock.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO registry_connectionrefusal AS r (hour, code, device, count, last_at) VALUES (%s, %s, %s, 1, %s)
            ON CONFLICT (hour, code) DO UPDATE
            SET count = r.count + 1, device = excluded.device, last_at = excluded.last_at
            """,
            [hour, code, device[:64], now],
        )
