"""Writes of the organisation: bodies and posts that a person enters, besides those a place's folder declares.

save_bodies(drafts) -> int        save_posts(drafts) -> int        both insert or replace by id
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.people.models import Organisation, Post, Scope


@dataclass(frozen=True)
class BodyDraft:
    id: str
    name_zh: str
    name_en: str
    area: str


@dataclass(frozen=True)
class PostDraft:
    """`towns`: empty for the whole district."""

    id: str
    role: str
    organisation: str
    title_zh: str
    title_en: str
    towns: tuple[str, ...] = ()


@transaction.atomic
def save_bodies(*, drafts: Sequence[BodyDraft], at: datetime | None = None) -> int:
    """Keep organisations."""
    guard.require("people.manage")
    Organisation.objects.bulk_create(
        [Organisation(id=one.id, name_zh=one.name_zh, name_en=one.name_en, area=one.area) for one in drafts],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["name_zh", "name_en", "area"],
    )
    audit.record("people.save_bodies", f"bodies:{len(drafts)}", at=at or timezone.now(), after={"ids": _ids(drafts)})
    return len(drafts)


@transaction.atomic
def save_posts(*, drafts: Sequence[PostDraft], at: datetime | None = None) -> int:
    """Keep posts; one that had ended is valid again."""
    guard.require("people.manage")
    Post.objects.bulk_create(
        [
            Post(
                id=one.id,
                role=one.role,
                organisation_id=one.organisation,
                title_zh=one.title_zh,
                title_en=one.title_en,
                scope=Scope.TOWNS if one.towns else Scope.DISTRICT,
                towns=sorted(one.towns),
            )
            for one in drafts
        ],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["role", "organisation", "title_zh", "title_en", "scope", "towns", "valid_to"],
    )
    audit.record("people.save_posts", f"posts:{len(drafts)}", at=at or timezone.now(), after={"ids": _ids(drafts)})
    return len(drafts)


def _ids(drafts: Sequence[BodyDraft] | Sequence[PostDraft]) -> list[str]:
    """Enough of them to find the list again; a record of the audit stays small."""
    return [one.id for one in drafts][:50]
