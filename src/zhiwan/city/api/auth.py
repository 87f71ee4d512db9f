"""Bearer tokens: each acts through the post it was made for, with that post's towns and rights."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from zhiwan.city.people import guard
from zhiwan.city.people.acting import LIVE, acting
from zhiwan.city.people.actions import digest
from zhiwan.city.people.models import ApiToken
from zhiwan.city.people.routes import declares
from zhiwan.city.registry.clock import SpaceUnknown
from zhiwan.city.registry.middleware import HEADER
from zhiwan.city.registry.spaces import space_in_use

View = TypeVar("View", bound=Callable[..., Any])


class TokenAuth(HttpBearer):
    """`Authorization: Bearer zw_…`. Gives the token, or None, which is answered with 401."""

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        found = ApiToken.objects.select_related("post").filter(token_hash=digest(token), revoked_at=None)
        return found.first()


def as_caller(action: str) -> Callable[[View], View]:
    """Run an operation in one transaction as the post of the caller's token, live or in the story that is named.

    `action` is what the operation does: a post whose role does not hold it is refused before it runs.
    """

    def wrap(view: View) -> View:
        return declares(action)(_acting(view, action))

    return wrap


def _acting(view: View, action: str) -> View:
    @functools.wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        token: ApiToken = request.auth  # type: ignore[attr-defined]
        wished = request.headers.get(HEADER) or request.GET.get("space") or LIVE
        if space_in_use(wished) != wished:
            raise SpaceUnknown(space=wished)
        request.space = wished  # type: ignore[attr-defined]
        with acting(token.post, address=request.META.get("REMOTE_ADDR") or None, space=wished):
            guard.require_open(action)
            return view(request, *args, **kwargs)

    return cast(View, run)
