"""Notes that a person did something, and keeps a wall's session from doing anything.

What a page fetches by itself (its menu, figures, tickets) is not a person: only opened pages, sent forms and the
page's own word that keys or pointer were used (`/here`, assets/src/presence.js) keep a session from being idle.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from zhiwan.city.people.ways_in import sessions
from zhiwan.city.people.ways_in.errors import WallOnlyLooks
from zhiwan.city.people.ways_in.session_store import GONE

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ENDED_COOKIE = "zhiwan_ended"  # why the last session of this browser ended
#: What a wall may send: they change this browser, or end its session.
OF_THE_BROWSER = frozenset({"/out", "/language", "/theme", "/here"})


class PresenceMiddleware:
    """Stands after the authentication and around the acting, so that it writes in no post's name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        row, why = getattr(request.session, "row", None), getattr(request.session, "ended", "")
        if row is None or row.user_id is None:
            response = self.get_response(request)
            if why and why != GONE and ENDED_COOKIE not in response.cookies:
                # The session's own cookie goes with this answer; the sign-in page that follows says why.
                secure = request.is_secure()
                response.set_cookie(ENDED_COOKIE, why, max_age=600, httponly=True, samesite="Lax", secure=secure)
            return response
        if row.wall and request.method not in SAFE and request.path not in OF_THE_BROWSER:
            return render(request, "portal/refused.html", {"refused": WallOnlyLooks()}, status=403)
        if of_a_person(request):
            sessions.seen(row, timezone.now())
        return self.get_response(request)


def of_a_person(request: HttpRequest) -> bool:
    """Whether a person stands behind this request, rather than the page itself."""
    if request.method not in SAFE:
        return True
    if mode := request.headers.get("Sec-Fetch-Mode"):
        return mode == "navigate"
    return "HX-Request" not in request.headers and "text/html" in request.headers.get("Accept", "text/html")
