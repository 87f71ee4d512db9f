"""What a page fetches for its live stream: a ticket, and the menu with fresh figures."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from zhiwan.city.portal.frame import counts
from zhiwan.city.portal.menu import menu_for
from zhiwan.city.portal.tickets import Ticket, issue
from zhiwan.city.portal.views.base import Visit, signed_in


@require_GET
@never_cache
@signed_in
def ticket(request: Visit) -> HttpResponse:
    """Where to open the stream, with a ticket for the towns of the post in use."""
    row = getattr(request.session, "row", None)
    session = str(row.public_id) if row else ""
    whose = Ticket(request.user.get_username(), request.actor.towns, request.actor.space, session)
    made = issue(settings.SECRET_KEY, whose)
    base = settings.ZHIWAN_LIVE_URL.rstrip("/")
    return JsonResponse({"address": f"{base}/stream?{urlencode({'ticket': made})}"})


@require_GET
@signed_in
def menu(request: HttpRequest) -> HttpResponse:
    """The menu as it is now; `at` is the page it stands on."""
    return render(request, "portal/parts/menu.html", {"menu": menu_for(request.GET.get("at", "/"), counts())})
