"""The space of a request: chosen in the session for pages, named with each call of the API; every answer says it."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from django.http import HttpRequest, HttpResponse

from zhiwan.city.people.acting import LIVE
from zhiwan.city.people.middleware import ActingMiddleware
from zhiwan.city.registry.spaces import space_in_use

HEADER = "X-Zhiwan-Space"


class SpaceActingMiddleware(ActingMiddleware):
    """Acts in the space that the session names."""

    def space_of(self, request: HttpRequest) -> str:
        chosen = request.session.get("space")
        space = space_in_use(chosen)
        if chosen and chosen != space:  # dropped meanwhile: another one of that name is not what was chosen
            request.session["space"] = LIVE
        return space


class SpaceInAnswers:
    """Answers of the API to a call in a story carry its name in every object, so that no copy of one looks live."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        space = getattr(request, "space", LIVE)
        if space == LIVE:
            return response
        response[HEADER] = space
        if response.get("Content-Type", "").startswith("application/json") and not response.streaming:
            response.content = orjson.dumps(_named(orjson.loads(response.content), space))
            response.headers.pop("Content-Length", None)
        return response


def _named(body: object, space: str) -> object:
    """The objects of an answer (itself, its rows) with the space."""
    if isinstance(body, list):
        return [_named(one, space) for one in body]
    if not isinstance(body, dict):
        return body
    rows = {key: _named(value, space) for key, value in body.items() if isinstance(value, list)}
    return {"space": space, **body, **rows}
