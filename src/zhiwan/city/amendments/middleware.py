"""Pages and the API go by the rules that are in force: each web process looks for signed changes as requests come."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from zhiwan.city.packs_loaded import refresh

LOOK_SECONDS = 1.0


class TakeUpChanges:
    """Asks PostgreSQL at most once a second; with the database away nothing is asked anew (packs_loaded.refresh)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(("/static/", "/healthz", "/metrics")):
            refresh(every=LOOK_SECONDS)
        return self.get_response(request)
