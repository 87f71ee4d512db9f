"""What a page fetches for its live stream: a ticket, and the menu with fresh figures."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from zhiwan.city.portal.frame import counts
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.menu import menu_for
from zhiwan.city.portal.tickets import Ticket, issue
from zhiwan.city.portal.views.base import Visit


@require_GET
@never_cache
@opens("way.frame")
def ticket(request: Visit) -> HttpResponse:
    """Where to open the stream, with a ticket for the towns of the post in use."""
    made = issue(settings.SECRET_KEY, Ticket(request.user.get_username(), request.actor.towns, request.actor.space))
    base = settings.ZHIWAN_LIVE_URL.rstrip("/")
    return JsonResponse({"address": f"{base}/stream?{urlencode({'ticket': made})}"})


@require_GET
@opens("way.frame")
def menu(request: HttpRequest) -> HttpResponse:
    """The menu as it is now; `at` is the page it stands on."""
    return render(request, "portal/parts/menu.html", {"menu": menu_for(request.GET.get("at", "/"), counts())})
