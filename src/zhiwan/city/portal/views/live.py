"""What a page fetches for its live stream: a ticket, and the menu with fresh figures."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from zhiwan.city.people import guard
from zhiwan.city.portal.frame import counts
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.menu import menu_for
from zhiwan.city.portal.tickets import Ticket, issue
from zhiwan.city.portal.views.base import Visit
from zhiwan.city.registry.models import Entity

#: What a post must hold to hear of each kind.
READING = {
    "value": "entity.read",
    "alarm": "alarm.read",
    "indicator": "indicator.read",
    "warning": "warning.read",
    "case": "case.read",
    "response": "plan.read",
    "task": "plan.read",
    "set_aside": "set_aside.read",
    "amendment": "rule.read",
}
_MOST_THINGS = 200


def _seen(wished: str) -> frozenset[str]:
    """Of the things a page shows, those that the post may see."""
    ids = [id for id in wished.split(",") if id not in ("", "none", "all")][:_MOST_THINGS]
    return frozenset(Entity.objects.filter(id__in=ids).values_list("id", flat=True)) if ids else frozenset()


@require_GET
@never_cache
@opens("way.frame")
def ticket(request: Visit) -> HttpResponse:
    """Where to open the stream, with a ticket for what the post in use may hear.

    `values` names the things of the page: of those that the post sees, a narrow ticket carries the ids.
    """
    row = getattr(request.session, "row", None)
    reach = request.actor.reach
    plain = reach.kind in ("district", "area")
    ticket = Ticket(
        request.user.get_username(),
        request.actor.towns,
        request.actor.space,
        str(row.public_id) if row else "",
        frozenset(kind for kind, action in READING.items() if guard.may_open(action)),
        None if plain else _seen(request.GET.get("values", "")),
    )
    made = issue(settings.SECRET_KEY, ticket)
    base = settings.ZHIWAN_LIVE_URL.rstrip("/")
    return JsonResponse({"address": f"{base}/stream?{urlencode({'ticket': made})}"})


@require_GET
@opens("way.frame")
def menu(request: HttpRequest) -> HttpResponse:
    """The menu as it is now; `at` is the page it stands on."""
    return render(request, "portal/parts/menu.html", {"menu": menu_for(request.GET.get("at", "/"), counts())})
