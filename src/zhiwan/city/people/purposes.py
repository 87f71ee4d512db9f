"""The register of purposes of this place: purpose_book(). Without a place, or a register, no personal field is read."""

from __future__ import annotations

from django.conf import settings

from zhiwan.city import packs_loaded
from zhiwan.city.people.roles import role_book
from zhiwan.kernel.facts.errors import PackBroken
from zhiwan.kernel.guard.purposes import NO_PURPOSES, PurposeBook


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
    place = packs_loaded.place()
    for purpose in place.purposes:
        if unknown := sorted(set(purpose.roles) - set(role_book().roles)):
            raise PurposeWrong(id=purpose.id, roles=", ".join(unknown))
    return PurposeBook(place.purposes, place.place.zone)
