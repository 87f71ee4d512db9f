"""Loads a declared place: areas, zones, bodies and posts. Run again after a change; what left the files is not deleted.

Rows of history (alarms, cases, audit) point at areas and posts, so an area that is gone keeps its row and a post that
is gone gets an end date.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from shapely.geometry import Point, shape
from shapely.prepared import prep

from zhiwan.city.people import audit, guard
from zhiwan.city.people.models import Post, Scope
from zhiwan.city.people.organisation import BodyDraft, keep_bodies, keep_posts
from zhiwan.city.registry.duties import assign_lines, duties, follow_zones
from zhiwan.city.registry.models import Area, Entity, Place, Zone, ZoneMember
from zhiwan.kernel.facts.areas import area_level
from zhiwan.kernel.packs.place import AreaDecl, PlaceDecl
from zhiwan.kernel.packs.place import Post as PostDecl


@transaction.atomic
def load_place(*, declared: PlaceDecl, at: datetime | None = None) -> None:
    """Bring the tables to what the place's folder says."""
    guard.require("registry.load")
    now = at or timezone.now()
    before, listed_before = _declared_posts(declared.code), duties()
    _save_place(declared)
    Area.objects.bulk_create(
        [_area(one) for one in declared.areas],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["level", "name", "name_en", "parent", "lon", "lat", "geometry", "synthetic"],
    )
    _save_posts(declared, now, before)
    for zone in declared.zones:
        Zone.objects.update_or_create(
            id=zone.id,
            defaults={
                "title_zh": zone.title.zh,
                "title_en": zone.title.en,
                "polygon": zone.polygon,
                "version": zone.version,
            },
        )
    compute_zone_members()
    assign_lines(listed_before)
    audit.record("registry.load_place", f"place:{declared.code}", at=now, after={"areas": len(declared.areas)})


def compute_zone_members() -> None:
    """Which entities lie in which zone; to be called after entities were placed."""
    guard.require("registry.change")
    positions = list(
        Entity.objects.filter(lon__isnull=False, lat__isnull=False).values_list("id", "lon", "lat", "town")
    )
    ZoneMember.objects.all().delete()
    for zone in Zone.objects.all():
        inside = prep(shape(zone.polygon))
        ZoneMember.objects.bulk_create(
            [
                ZoneMember(zone=zone, entity_id=id, town=town)
                for id, lon, lat, town in positions
                if inside.covers(Point(lon, lat))
            ]
        )
    follow_zones()


def _area(declared: AreaDecl) -> Area:
    lon, lat = declared.seat or _middle(declared.geometry)
    return Area(
        code=declared.code,
        level=area_level(declared.code),
        name=declared.name,
        name_en=declared.name_en,
        parent=declared.parent or "",
        lon=lon,
        lat=lat,
        geometry=declared.geometry,
        synthetic=declared.synthetic,
    )


def _middle(geometry: dict[str, Any] | None) -> tuple[float | None, float | None]:
    if geometry is None:
        return None, None
    point = shape(geometry).representative_point()
    return point.x, point.y


def _save_place(declared: PlaceDecl) -> None:
    file = declared.place
    bounds = _bounds(declared)
    lon, lat = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    Place.objects.update_or_create(
        code=declared.code,
        defaults={
            "name_zh": file.name,
            "name_en": file.name_en,
            "lon": lon,
            "lat": lat,
            "bounds": bounds,
            "outline": declared.outline,
            "base_map": file.base_map.model_dump(mode="json") if file.base_map else None,
            "settings": {
                "zone": file.zone,
                "languages": list(file.languages),
                "notice": file.notice.model_dump() if file.notice else None,
                "water_datum": file.water_datum.model_dump() if file.water_datum else None,
                "roles": {role.id: role.title.model_dump() for role in declared.roles},
                "role_bases": {role.id: role.like for role in declared.roles if role.like},
                "duties": {duty.class_: duty.body for duty in declared.duties},
                "declared_posts": [post.id for post in declared.posts],
            },
        },
    )


def _bounds(declared: PlaceDecl) -> list[float]:
    """[west, south, east, north] of the outline; without one, of the seats with a margin."""
    if declared.outline is not None:
        return list(shape(declared.outline).bounds)
    seats = [area.seat for area in declared.areas if area.seat is not None] or [(0.0, 0.0)]
    lons, lats = [seat[0] for seat in seats], [seat[1] for seat in seats]
    margin = 0.05
    return [min(lons) - margin, min(lats) - margin, max(lons) + margin, max(lats) + margin]


def _declared_posts(code: str) -> list[str]:
    """The posts that the files declared last time: only these can be gone from them, never those a person entered."""
    place = Place.objects.filter(code=code).first()
    return list(place.settings.get("declared_posts", [])) if place else []


def _save_posts(declared: PlaceDecl, now: datetime, before: list[str]) -> None:
    keep_bodies(
        [
            BodyDraft(b.id, b.name.zh, b.name.en, b.area, b.kind, b.parent, b.valid_from, b.valid_to)
            for b in declared.bodies
        ]
    )
    bases = {role.id: role.like or "" for role in declared.roles}
    keep_posts([_post(post, bases[post.role]) for post in declared.posts])
    gone = Post.objects.filter(id__in=set(before) - {post.id for post in declared.posts}, valid_to=None)
    gone.update(valid_to=timezone.localdate(now))


def _post(declared: PostDecl, base: str) -> Post:
    reach = declared.reach
    towns = sorted(code for code in reach.areas if len(code) == 9)
    zones = sorted([*reach.zones, *(code for code in reach.areas if len(code) > 9)])
    scope = Scope.ZONES if zones else Scope.TOWNS if towns else Scope.DISTRICT
    return Post(
        id=declared.id,
        role=declared.role,
        base_role=base,
        title_zh=declared.title.zh,
        title_en=declared.title.en,
        organisation_id=declared.organisation,
        scope=declared.scope if declared.scope in (Scope.OWN, Scope.NONE) else scope,
        towns=towns,
        zones=zones,
        classes=sorted(reach.classes),
        bodies=sorted(reach.bodies),
        valid_from=declared.valid_from,
        valid_to=declared.valid_to,
    )
