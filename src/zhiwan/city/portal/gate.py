"""The door of every page: who may open it, told by the action that its view declares.

`opens(action)` stands on a view: strangers go to the sign-in page, accounts without a post are told so, and a post
whose role does not do this is refused before the view runs. `RouteGate` refuses what declares nothing, so that a view
which was forgotten is closed and not open. Which rows a page finds is the database's affair; each action asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone

from zhiwan.city.api.routes import operation_action
from zhiwan.city.people import guard
from zhiwan.city.people.roles import action_book
from zhiwan.city.people.routes import Opened, action_of, declares, opened
from zhiwan.city.people.ways_in.errors import TooOften
from zhiwan.city.people.ways_in.rates import count_write
from zhiwan.city.portal.menu import home
from zhiwan.city.portal.refusals import sentence
from zhiwan.kernel.facts.errors import CityError

log = logging.getLogger(__name__)
View = Callable[..., HttpResponseBase]
#: Refusals of the guard that a view did not turn into words itself.
REFUSALS = (
    guard.NobodyActs,
    guard.ActionForbidden,
    guard.OutOfScope,
    guard.PostNotInForce,
    guard.SecondFactorNeeded,
    guard.ReasonNeeded,
    guard.GradeTooHigh,
    guard.PurposeNeeded,
    guard.ActionUndeclared,
)


def opens(action: str | Mapping[str, str], by: str = "") -> Callable[[View], View]:
    """Only who may do this gets to the view. `by`: the part of the address that says which action it is."""
    route = opened(action, by)

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _stopped(request, route, kwargs) or view(request, *args, **kwargs)

        return declares(action, by)(guarded)

    return wrap


def _stopped(request: HttpRequest, route: Opened, parts: Mapping[str, Any]) -> HttpResponseBase | None:
    """The answer to who may not enter; None for who may."""
    action = route.action(parts)
    if action is None:  # a step that is not there: the view says so, to who is signed in
        return _without_post(request) if getattr(request, "actor", None) is None else None
    declared = action_book().get(action)
    if declared is None:
        return _undeclared(request, action)
    if declared.to == "anyone" or (declared.to == "account" and request.user.is_authenticated):
        return None
    if getattr(request, "actor", None) is None:
        return _without_post(request)
    try:
        guard.require_open(action)
    except CityError as problem:
        if request.path == "/" and not _fragment(request):  # where everyone arrives: on to what this post has
            return redirect(home())
        return refused(request, problem)
    return None


def _fragment(request: HttpRequest) -> bool:
    return bool(request.headers.get("HX-Request")) or "application/json" in request.headers.get("Accept", "")


def _without_post(request: HttpRequest) -> HttpResponseBase:
    if request.user.is_authenticated:
        return render(request, "portal/no_post.html", status=403)
    if _fragment(request):
        return HttpResponse(status=401)
    return redirect(f"/in?next={quote(request.get_full_path(), safe='/')}" if request.path != "/" else "/in")


def refused(request: HttpRequest, problem: CityError) -> HttpResponse:
    """A page that says what is refused and who may do it; fragments and data get the status alone."""
    if _fragment(request):
        return HttpResponse(status=403)
    context = {"sentence": sentence(problem), "second_factor": isinstance(problem, guard.SecondFactorNeeded)}
    return render(request, "portal/forbidden.html", context, status=403)


def _undeclared(request: HttpRequest, what: str) -> HttpResponse:
    log.error("refused %s %s: %s is declared nowhere", request.method, request.path, what)
    return refused(request, guard.ActionUndeclared(action=what))


def _too_often(request: HttpRequest) -> HttpResponse | None:
    """The answer to an account that sends more forms than anybody types. Ways in and the API count for themselves."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.path.startswith("/api/"):
        return None
    if not request.user.is_authenticated:
        return None
    now = timezone.now()
    try:
        count_write(str(request.user.pk), request.META.get("REMOTE_ADDR") or "", now)
    except TooOften as problem:
        answer = refused(request, problem)
        answer.status_code = 429
        answer["Retry-After"] = str(problem.retry_after)
        return answer
    return None


class RouteGate:
    """Refuses a view that declares no action; turns a refusal that a view let through into a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Django calls it when the address is resolved."""
        route = action_of(view) or operation_action(request)
        if route is None:
            return _undeclared(request, f"the route {request.resolver_match.route if request.resolver_match else '?'}")
        return _too_often(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The request is undone: what was refused half-way leaves nothing."""
        if not isinstance(exception, REFUSALS) or request.path.startswith("/api/"):
            return None
        request.view_failed = True  # type: ignore[attr-defined]
        return refused(request, exception)
