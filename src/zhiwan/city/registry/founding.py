"""Writes of the place and its areas that a person enters, besides those a place's folder declares.

describe_place(name_zh, name_en, bounds=None)        of the one place that is installed
save_areas(drafts) -> int                            insert or replace by code
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.registry.models import Area, Place
from zhiwan.kernel.facts.areas import area_level
from zhiwan.kernel.facts.errors import InputRefused


class AreaRefused(InputRefused):
    """An area that does not lie in this place."""

    code = "REG-004"
    fact = "the area {code} cannot be kept"
    detail = "{problem}"
    hint = "Codes of a place begin with its own; list the area above it first."


@dataclass(frozen=True)
class AreaDraft:
    code: str
    name: str
    name_en: str
    parent: str
    lon: float | None = None
    lat: float | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class PlaceDraft:
    """`bounds`: west, south, east, north."""

    name_zh: str
    name_en: str
    bounds: tuple[float, float, float, float] | None = None


@transaction.atomic
def describe_place(*, draft: PlaceDraft, at: datetime | None = None) -> None:
    """Names and extent of the place. Its code is that of the installed folder and stays."""
    guard.require("registry.found")
    place = Place.objects.select_for_update().get()
    before = {"name_zh": place.name_zh, "name_en": place.name_en, "bounds": place.bounds}
    place.name_zh, place.name_en = draft.name_zh, draft.name_en
    if draft.bounds is not None:
        west, south, east, north = draft.bounds
        place.bounds = list(draft.bounds)
        place.lon, place.lat = (west + east) / 2, (south + north) / 2
    place.save(update_fields=["name_zh", "name_en", "bounds", "lon", "lat"])
    Area.objects.filter(code=place.code).update(name=draft.name_zh, name_en=draft.name_en)
    after = {"name_zh": place.name_zh, "name_en": place.name_en, "bounds": place.bounds}
    audit.record("registry.describe_place", f"place:{place.code}", at=at or timezone.now(), before=before, after=after)


@transaction.atomic
def save_areas(*, drafts: Sequence[AreaDraft], at: datetime | None = None) -> int:
    """Keep areas; what an area has besides (its outline) stays. All or none."""
    guard.require("registry.found")
    known = set(Area.objects.values_list("code", flat=True)) | {one.code for one in drafts}
    for one in drafts:
        if one.parent not in known:
            raise AreaRefused(code=one.code, problem=f"The area above it, {one.parent}, is not registered.")
    Area.objects.bulk_create(
        [
            Area(
                code=one.code,
                level=area_level(one.code),
                name=one.name,
                name_en=one.name_en,
                parent=one.parent,
                lon=one.lon,
                lat=one.lat,
                synthetic=one.synthetic,
            )
            for one in drafts
        ],
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=["level", "name", "name_en", "parent", "lon", "lat", "synthetic"],
    )
    audit.record("registry.save_areas", f"areas:{len(drafts)}", at=at or timezone.now(), after={"count": len(drafts)})
    return len(drafts)
