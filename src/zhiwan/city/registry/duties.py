"""权责清单 at work: which line of duty a thing belongs to (class@owner).

A thing's class is the pack that declares its type. Its owner is the body named with it, else the one that answers for
its type, else the one that answers for its class. Alarms and cases take line and zones from their thing, when they are
made and whenever they change (triggers of the database, in watch and cases).
"""

from __future__ import annotations

from django.db import connection

from zhiwan.city.packs_loaded import packs
from zhiwan.city.registry.models import Entity, Place
from zhiwan.kernel.guard.people import line_of

_ZONES = """
-- zones_of_things: village and grid of the area, and the zones it lies in
UPDATE registry_entity e SET zones = n.zones
  FROM (SELECT o.id, registry_area_zones(o.area)
               || ARRAY(SELECT m.zone_id::text FROM registry_zonemember m WHERE m.entity_id = o.id ORDER BY 1) AS zones
          FROM registry_entity o) n
 WHERE n.id = e.id AND e.zones <> n.zones
"""


def duties() -> dict[str, str]:
    """Type or class → body, as the place declares it."""
    place = Place.objects.first()
    return dict(place.settings.get("duties") or {}) if place else {}


def classes() -> dict[str, str]:
    """Type → the pack that declares it."""
    return {kind.id: pack.id for pack in packs().packs for kind in pack.types}


def owner_by_list(type_name: str, class_: str, listed: dict[str, str]) -> str:
    """The body that answers for things of a type; empty: nobody is named."""
    return listed.get(type_name) or listed.get(class_) or ""


def line_for(type_name: str, owner: str, listed: dict[str, str]) -> tuple[str, str]:
    """(owner, line) of a thing of this type; `owner` as said with it, empty: by the list."""
    class_ = classes().get(type_name, "")
    body = owner or owner_by_list(type_name, class_, listed)
    return body, line_of(class_, body)


def assign_lines(before: dict[str, str]) -> int:
    """Bring things that have their owner from the list (`before`: as it was) to the list as it is; how many changed."""
    listed, known = duties(), classes()
    changed = []
    for thing in Entity.objects.only("id", "type", "owner", "line"):
        class_ = known.get(thing.type, "")
        by_list = thing.owner in ("", owner_by_list(thing.type, class_, before))
        owner = owner_by_list(thing.type, class_, listed) if by_list else thing.owner
        if (thing.owner, thing.line) != (owner, line_of(class_, owner)):
            thing.owner, thing.line = owner, line_of(class_, owner)
            changed.append(thing)
    Entity.objects.bulk_update(changed, ["owner", "line"], batch_size=2000)
    return len(changed)


def follow_zones() -> None:
    """Zones of things after their members were computed."""
    with connection.cursor() as cursor:
        cursor.execute(_ZONES)
