"""Every request of a signed-in person runs in one transaction as the post they chose."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from zhiwan.city.people.acting import LIVE, Actor, acting
from zhiwan.city.people.queries import post_in_use, posts_of


def showed_second_factor(request: HttpRequest) -> bool:
    """Whether this session showed a second factor; what the way in notes of it."""
    return bool((request.session.get("ways_in") or {}).get("second_at"))


class ActingMiddleware:
    """Sets `request.actor` (None: nobody is signed in) and acts as its post while the view runs.

    An error of the view rolls the request back; Django has turned it into a response by then, so the view's
    exception is noted on the way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        actor: Actor | None = None
        request.actor = actor  # type: ignore[attr-defined]
        # The API brings its own credentials (api/auth.py) and acts for itself.
        if request.path.startswith(("/api/", "/static/", "/healthz", "/metrics")) or not request.user.is_authenticated:
            return self.get_response(request)
        posts = posts_of(request.user)
        request.posts = posts  # type: ignore[attr-defined]  # the frame of the page shows them too
        post = post_in_use(posts, request.session.get("post"))
        if post is None:
            return self.get_response(request)
        space = self.space_of(request)
        address = request.META.get("REMOTE_ADDR") or None
        second = showed_second_factor(request)
        with acting(post, user=request.user, address=address, space=space, second_factor=second) as actor:
            request.actor = actor  # type: ignore[attr-defined]
            response = self.get_response(request)
            response["X-Zhiwan-Space"] = space
            if response.status_code >= 500 or getattr(request, "view_failed", False):
                transaction.set_rollback(True)
            return response

    def space_of(self, request: HttpRequest) -> str:
        """The space chosen in the session; live where a story was dropped meanwhile."""
        return LIVE

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Noted only; other middleware and Django decide what is shown."""
        request.view_failed = True  # type: ignore[attr-defined]
