"""What the page of personal exports shows.

requests(page) -> Page[RequestView]    newest first, with what the acting person may do with each
offers() -> list[Offer]                types, fields and purposes that the acting post may ask for
waiting() -> int                       undecided ones of others: the figure in the menu
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from zhiwan.city.exports.actions import personal_fields_of
from zhiwan.city.exports.models import PersonalExport, State
from zhiwan.city.packs_loaded import packs
from zhiwan.city.paging import Page, paged
from zhiwan.city.people import guard
from zhiwan.city.people.acting import current_actor
from zhiwan.kernel.guard.people import Subject
from zhiwan.kernel.guard.purposes import Purpose
from zhiwan.kernel.packs.models import EntityType, FieldDecl


@dataclass(frozen=True)
class RequestView:
    """One request. `state` is `late` where nobody decided or fetched it in time."""

    row: PersonalExport
    kind: EntityType | None
    state: str
    mine: bool
    may_decide: bool

    @property
    def fields(self) -> list[FieldDecl]:
        known = self.kind.fields if self.kind is not None else {}
        return [known[id] for id in self.row.fields if id in known]


@dataclass(frozen=True)
class Offer:
    """What may be asked for of one type: each field with the purposes that cover it."""

    kind: EntityType
    fields: dict[str, FieldDecl]
    purposes: dict[str, Purpose]


def offers() -> list[Offer]:
    """Types in the order of their packs; one whose fields no purpose covers for this post is left out."""
    found = []
    for kind in packs().types.values():
        covered = {id: _purposes(kind, id) for id in personal_fields_of(kind.id)}
        fields = {id: kind.fields[id] for id, purposes in covered.items() if purposes}
        if fields:
            found.append(Offer(kind, fields, {one.id: one for each in covered.values() for one in each}))
    return found


def _purposes(kind: EntityType, field: str) -> list[Purpose]:
    """For what the acting post may ask for this field of the whole district."""
    name, grade = f"{kind.id}.{field}", kind.fields[field].grade
    return [
        one
        for one in guard.purposes_for(name)
        if guard.may("personal.export", on=Subject(town=""), grade=grade, field=name, under=one.id)
    ]


def requests(page: int = 1, size: int = 30) -> Page[RequestView]:
    """All of them: who decides must see what was decided before."""
    rows = PersonalExport.objects.select_related("asked_by", "asked_post", "decided_by", "decided_post")
    now, decides = timezone.now(), guard.may_open("personal.decide")
    return paged(rows.order_by("-asked_at", "-pk"), lambda one: _view(one, now, decides), page, size)


def _view(one: PersonalExport, now: datetime, decides: bool) -> RequestView:
    actor = current_actor()
    mine = actor is not None and actor.user is not None and actor.user.pk == one.asked_by_id
    late = one.until <= now and one.state in (State.ASKED, State.APPROVED)
    state = "late" if late else str(one.state)
    return RequestView(one, kind_of(one), state, mine, decides and not mine and state == State.ASKED)


def kind_of(one: PersonalExport) -> EntityType | None:
    """Its type as a pack declares it; None where none does any longer."""
    return packs().types.get(one.type)


def waiting() -> int:
    """Undecided ones that this person could decide."""
    actor = current_actor()
    if actor is None or actor.user is None or not guard.may_open("personal.decide"):
        return 0
    open_ = PersonalExport.objects.filter(state=State.ASKED, until__gt=timezone.now())
    return open_.exclude(asked_by=actor.user).count()
