"""Writes of the organisation: bodies in their tree, posts with role, scope and line, and who holds them.

save_bodies(drafts) -> int        save_posts(drafts) -> int        both insert or replace by id
give_posts(user, posts)           take_post(user, post)            holdings; administrators stand alone

A person enters these, or a place's folder declares them (registry/place.py); both are checked by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.people.lines import below, work_out_lines
from zhiwan.city.people.models import BodyKind, Holding, Organisation, Post, Scope, User
from zhiwan.city.people.reach import scope_fits
from zhiwan.city.people.roles import role_book, role_of
from zhiwan.kernel.facts.errors import InputRefused


class BodyRefused(InputRefused):
    """A body that would break the tree."""

    code = "PEOPLE-020"
    fact = "the body {id} cannot be kept"
    detail = "{problem}"
    hint = "A body lies below one that is listed, and never below itself."


class PostRefused(InputRefused):
    """A post whose role or scope does not hold together."""

    code = "PEOPLE-021"
    fact = "the post {id} cannot be kept"
    detail = "{problem}"
    hint = "See the roles: each says which scopes its posts may have; a role of the place says which one it is like."


class RolesConflict(InputRefused):
    """Two roles that no account may hold together."""

    code = "PEOPLE-022"
    fact = "the account {account} may not hold {one} and {other} together"
    detail = "The three administrators stand alone; some roles exclude each other."
    hint = "Use a second account, held by another person."


@dataclass(frozen=True)
class BodyDraft:
    id: str
    name_zh: str
    name_en: str
    area: str
    kind: str = BodyKind.DISTRICT_OFFICE
    parent: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True)
class PostDraft:
    """Towns and zones empty: the whole district, unless `scope` says otherwise."""

    id: str
    role: str
    organisation: str
    title_zh: str
    title_en: str
    towns: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    bodies: tuple[str, ...] = ()
    scope: str = ""
    base_role: str = ""
    valid_from: date | None = None
    valid_to: date | None = None

    def row(self) -> Post:
        """The post as it is kept."""
        scope = Scope.ZONES if self.zones else Scope.TOWNS if self.towns else Scope.DISTRICT
        return Post(
            id=self.id,
            role=self.role,
            base_role=self.base_role,
            organisation_id=self.organisation,
            title_zh=self.title_zh,
            title_en=self.title_en,
            scope=self.scope or scope,
            towns=sorted(self.towns),
            zones=sorted(self.zones),
            classes=sorted(self.classes),
            bodies=sorted(self.bodies),
            valid_from=self.valid_from,
            valid_to=self.valid_to,
        )


@transaction.atomic
def save_bodies(*, drafts: Sequence[BodyDraft], at: datetime | None = None) -> int:
    """Keep organisations."""
    guard.require("people.authorise")
    keep_bodies(drafts)
    work_out_lines()
    audit.record("people.save_bodies", f"bodies:{len(drafts)}", at=at or timezone.now(), after={"ids": _ids(drafts)})
    return len(drafts)


def keep_bodies(drafts: Sequence[BodyDraft]) -> None:
    """Insert or replace, in a tree without rings."""
    parents = dict(Organisation.objects.values_list("id", "parent_id")) | {one.id: one.parent for one in drafts}
    for one in drafts:
        if one.parent is not None and one.parent not in parents:
            raise BodyRefused(id=one.id, problem=f"The body above it, {one.parent}, is not there.")
        if one.parent is not None and one.parent in below([one.id], parents):
            raise BodyRefused(id=one.id, problem=f"It would lie below itself, through {one.parent}.")
    rows = [
        Organisation(
            id=one.id,
            name_zh=one.name_zh,
            name_en=one.name_en,
            area=one.area,
            kind=one.kind,
            valid_from=one.valid_from,
            valid_to=one.valid_to,
        )
        for one in drafts
    ]
    names = ["name_zh", "name_en", "area", "kind", "valid_from", "valid_to"]
    Organisation.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=names)
    # Only now is every body there that another may lie below.
    for row, one in zip(rows, drafts, strict=True):
        row.parent_id = one.parent
    Organisation.objects.bulk_update(rows, ["parent"])


@transaction.atomic
def save_posts(*, drafts: Sequence[PostDraft], at: datetime | None = None) -> int:
    """Keep posts; one that had ended is valid again."""
    guard.require("people.authorise")
    keep_posts([one.row() for one in drafts])
    audit.record("people.save_posts", f"posts:{len(drafts)}", at=at or timezone.now(), after={"ids": _ids(drafts)})
    return len(drafts)


_POST_COLUMNS = (
    "role", "base_role", "organisation", "title_zh", "title_en", "scope", "towns", "zones", "classes", "bodies",
    "valid_from", "valid_to",
)  # fmt: skip


def keep_posts(rows: Sequence[Post]) -> None:
    """Insert or replace posts whose role and scope hold together; nobody who holds one ends up with two that do not."""
    for row in rows:
        if problem := post_problem(row):
            raise PostRefused(id=row.id, problem=problem)
    Post.objects.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=_POST_COLUMNS)
    work_out_lines(Post.objects.filter(id__in=[row.id for row in rows]))
    for user in User.objects.filter(holding__post__in=[row.id for row in rows]).distinct():
        _together(user.get_username(), Post.objects.filter(holding__user=user))


def post_problem(row: Post) -> str:
    """What is wrong with a post by itself; empty: nothing."""
    role = role_of(row.shipped_role)
    if role is None:
        return f'The role "{row.role}" is not a shipped one; say which one it is like.'
    if not scope_fits(role, row):
        return f"A {role.id} may not reach so far: its posts have one of the scopes {', '.join(role.scopes)}."
    if row.valid_from and row.valid_to and row.valid_from >= row.valid_to:
        return "It ends before it begins."
    return ""


@transaction.atomic
def give_posts(*, user: User, posts: Iterable[Post], at: datetime | None = None) -> None:
    """The account holds these posts too."""
    guard.require("people.authorise")
    hold(user, posts)
    ids = [post.id for post in posts]
    audit.record("people.give_posts", f"user:{user.username}", at=at or timezone.now(), after={"posts": ids})


@transaction.atomic
def take_post(*, user: User, post: Post, at: datetime | None = None) -> None:
    """The account holds this post no more."""
    guard.require("people.authorise")
    Holding.objects.filter(user=user, post=post).delete()
    audit.record("people.take_post", f"user:{user.username}", at=at or timezone.now(), before={"post": post.id})


def hold(user: User, posts: Iterable[Post]) -> None:
    """Write the holdings, unless two of the account's roles exclude each other. For actions that are guarded."""
    posts = list(posts)
    _together(user.get_username(), [*Post.objects.filter(holding__user=user), *posts])
    Holding.objects.bulk_create([Holding(user=user, post=post) for post in posts], ignore_conflicts=True)


def _together(account: str, posts: Iterable[Post]) -> None:
    if conflict := role_book().conflict(post.shipped_role for post in posts):
        raise RolesConflict(account=account, one=conflict[0].id, other=conflict[1].id)


def _ids(drafts: Sequence[BodyDraft] | Sequence[PostDraft]) -> list[str]:
    """Enough of them to find the list again; a record of the audit stays small."""
    return [one.id for one in drafts][:50]
