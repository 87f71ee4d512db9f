"""The register of purposes of this place: purpose_book(). Without a place, or a register, no personal field is read."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from zhiwan.city.people.roles import role_book
from zhiwan.kernel.facts.errors import PackBroken
from zhiwan.kernel.guard.purposes import NO_PURPOSES, PurposeBook
from zhiwan.kernel.packs.place import PlaceDecl


class PurposeWrong(PackBroken):
    """A purpose for a role that nobody declared."""

    code = "GUARD-012"
    fact = 'the purpose "{id}" of purposes.yml cannot be used'
    detail = "It names roles that are not shipped: {roles}."
    hint = "Name shipped roles (city/people/roles); a role of the place reads as the role that it is like."


def purpose_book() -> PurposeBook:
    """As the place declares it. Raises PurposeWrong."""
    if settings.ZHIWAN_PLACE is None:
        return NO_PURPOSES
    from zhiwan.city.packs_loaded import place

    return _book(_Same(place()))


class _Same:
    """A place by identity: it is read once and never changes."""

    def __init__(self, place: PlaceDecl) -> None:
        self.place = place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.place is self.place

    def __hash__(self) -> int:
        return id(self.place)


@lru_cache(maxsize=4)
def _book(one: _Same) -> PurposeBook:
    for purpose in one.place.purposes:
        if unknown := sorted(set(purpose.roles) - set(role_book().roles)):
            raise PurposeWrong(id=purpose.id, roles=", ".join(unknown))
    return PurposeBook(one.place.purposes, one.place.place.zone)
