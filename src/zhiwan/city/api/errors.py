"""One shape for every error of the API: code, fact, detail, hint."""

from __future__ import annotations

import logging
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from zhiwan.city.people import guard
from zhiwan.city.people.ways_in.errors import ScopeMissing, TooOften
from zhiwan.kernel.bus.messages import BusFull, MessageTooLarge
from zhiwan.kernel.facts.errors import CityError, InputRefused, PartUnavailable

log = logging.getLogger(__name__)
RETRY_SECONDS = "5"


class NotFound(InputRefused):
    """Nothing of that id in what the caller may see."""

    code = "API-404"
    fact = 'there is no {thing} "{id}"'
    detail = "It does not exist, or lies outside the areas of the token's post."
    hint = "List what is there: GET /api/v1/{thing_plural}."


class NotSignedIn(InputRefused):
    """No token, or one that is revoked or unknown."""

    code = "API-401"
    fact = "the request carries no valid token"
    detail = "Every operation needs Authorization: Bearer <token>."
    hint = "Ask for a service account's key (服务账号), or read the one in demo.json of a demonstration."


class ParametersRefused(InputRefused):
    """Query or path parameters that cannot be read."""

    code = "API-422"
    fact = "the request cannot be read"
    detail = "{problems}"
    hint = "See /api/v1/openapi.json for names, types and limits."


class DatabaseSilent(PartUnavailable):
    """The database does not answer, or cannot write."""

    code = "API-503"
    fact = "the database does not answer"
    detail = "Nothing of this request is kept, unless it was answered before."
    hint = "Send again: what was stored already is recognised. GET /healthz says how the parts are."


STATUS: dict[type[CityError], int] = {
    NotFound: 404,
    NotSignedIn: 401,
    guard.NobodyActs: 401,
    guard.ActionForbidden: 403,
    guard.OutOfScope: 403,
    guard.PostNotInForce: 403,
    guard.SecondFactorNeeded: 403,
    guard.GradeTooHigh: 403,
    guard.ActionUndeclared: 403,
    ScopeMissing: 403,
    TooOften: 429,
    MessageTooLarge: 413,
    BusFull: 429,
    PartUnavailable: 503,
    InputRefused: 422,
}


def status_of(error: CityError) -> int:
    """The HTTP status of an error: of its own class, or the nearest above it."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def register(api: NinjaAPI) -> None:
    """Give the API our answers to every error."""

    def answer(request: HttpRequest, error: CityError) -> HttpResponse:
        status = status_of(error)
        response = api.create_response(request, error.as_dict(), status=status)
        if status in (429, 503):
            response["Retry-After"] = str(getattr(error, "retry_after", RETRY_SECONDS))
        return response

    @api.exception_handler(CityError)
    def city(request: HttpRequest, error: CityError) -> HttpResponse:
        return answer(request, error)

    @api.exception_handler(OperationalError)
    @api.exception_handler(InterfaceError)
    def database(request: HttpRequest, error: Any) -> HttpResponse:
        log.warning("the database does not answer: %s", error)
        return answer(request, DatabaseSilent())

    @api.exception_handler(AuthenticationError)
    def authentication(request: HttpRequest, error: Any) -> HttpResponse:
        return answer(request, NotSignedIn())

    @api.exception_handler(ValidationError)
    def validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
        problems = "; ".join(f"{_where(one.get('loc', ()))}: {one.get('msg', '?')}" for one in error.errors)
        return answer(request, ParametersRefused(problems=problems))

    @api.exception_handler(HttpError)
    def http(request: HttpRequest, error: HttpError) -> HttpResponse:
        response = api.create_response(
            request, ParametersRefused(problems=str(error)).as_dict(), status=error.status_code
        )
        return response


def _where(location: tuple[Any, ...]) -> str:
    """`('query', 'size')` → `size`: the first word only says where ninja found it."""
    return ".".join(str(part) for part in location[1:]) or "request"
