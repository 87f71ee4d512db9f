"""Lines of duty (条线) worked out: which classes of which bodies a post minds, against the tree of bodies.

`classes` alone: these classes whoever owns the thing (the authority of a trade). `bodies` alone: everything of these
bodies and of all below them. Both: these classes of these bodies. Kept on the post, worked out again whenever bodies,
posts or the loaded packs change, so that acting as a post costs no query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people.models import Organisation, Post
from zhiwan.kernel.guard.people import lines_of


def work_out_lines(posts: Iterable[Post] | None = None) -> int:
    """Bring the lines of these posts (of all, without any named) up to date; how many changed."""
    parents: dict[str, str | None] = {**dict(Organisation.objects.values_list("id", "parent_id"))}
    known = [pack.id for pack in packs().packs]
    changed = []
    for post in Post.objects.all() if posts is None else posts:
        lines = sorted(_lines(post, parents, known))
        if lines != post.lines:
            post.lines = lines
            changed.append(post)
    Post.objects.bulk_update(changed, ["lines"])
    return len(changed)


def _lines(post: Post, parents: dict[str, str | None], known: list[str]) -> frozenset[str]:
    if not post.line_bound:
        return frozenset()
    bodies = below(post.bodies, parents) if post.bodies else {"", *parents}
    return lines_of(post.classes or known, bodies)


def below(bodies: Iterable[str], parents: dict[str, str | None]) -> set[str]:
    """These bodies and all below them. A ring in the tree ends where it began."""
    children: dict[str | None, list[str]] = defaultdict(list)
    for id, parent in parents.items():
        children[parent].append(id)
    found: set[str] = set()
    waiting = list(bodies)
    while waiting:
        body = waiting.pop()
        if body not in found:
            found.add(body)
            waiting += children[body]
    return found
