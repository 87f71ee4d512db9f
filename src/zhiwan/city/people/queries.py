"""Reads of people.

posts_of(user) -> list[Post]     post_in_use(posts, post_id) -> Post | None
posts_with_role(role, towns=None) -> list[Post]          posts_on_duty(towns=None) -> list[Post]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from zhiwan.city.people.models import Post, Scope
from zhiwan.city.people.roles import role_of
from zhiwan.city.people.ways_in.models import FirmStaff

_DESK = ("dispatcher", "operator")


def posts_of(user: Any) -> list[Post]:
    """The posts an account holds today, the duty chief's first; a firm's while its grant lasts."""
    today = timezone.localdate()
    held = Q(holding__user=user, holding__user__is_active=True)
    granted = Q(
        firm__staff__in=FirmStaff.objects.filter(user=user, user__is_active=True, ended_at=None, valid_to__gte=today)
    )
    found = Post.objects.filter(_valid_today()).filter(held | granted).select_related("organisation").distinct()
    return sorted(found, key=lambda post: (post.role != "duty_chief", post.shipped_role not in _DESK, post.id))


def _valid_today() -> Q:
    today = timezone.localdate()
    return (Q(valid_from=None) | Q(valid_from__lte=today)) & (Q(valid_to=None) | Q(valid_to__gt=today))


def post_in_use(posts: Sequence[Post], post_id: str | None) -> Post | None:
    """The post chosen in the session if the account (still) holds it, else its first post."""
    return next((post for post in posts if post.id == post_id), posts[0] if posts else None)


def posts_with_role(role: str, towns: Iterable[str] | None = None) -> list[Post]:
    """Posts of a role that exist today: all of them, or those that cover the district or one of the towns."""
    return _covering(Post.objects.filter(_valid_today(), role=role), towns)


def posts_on_duty(towns: Iterable[str] | None = None) -> list[Post]:
    """Posts of today whose role is on duty (warnings ask them for a receipt): all, or those that cover the towns."""
    found = _covering(Post.objects.filter(_valid_today()), towns)
    return [post for post in found if (role := role_of(post.shipped_role)) is not None and role.on_duty]


def _covering(posts: QuerySet[Post], towns: Iterable[str] | None) -> list[Post]:
    found = posts.order_by("id")
    if towns is None:
        return list(found)
    wanted = set(towns)
    return [
        post
        for post in found
        if post.scope == Scope.DISTRICT
        or not wanted.isdisjoint(post.towns)
        or any(not zone.isdecimal() or zone[:9] in wanted for zone in post.zones)
    ]
