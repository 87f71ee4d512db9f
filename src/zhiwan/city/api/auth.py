"""Bearer keys of service accounts: each acts through its account's post, with its towns and rights, within scopes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from zhiwan.city.api.scopes import OF_OPERATION
from zhiwan.city.people import guard
from zhiwan.city.people.acting import LIVE, acting
from zhiwan.city.people.routes import declares
from zhiwan.city.people.ways_in import machines, rates
from zhiwan.city.people.ways_in.errors import ScopeMissing
from zhiwan.city.people.ways_in.models import ServiceKey
from zhiwan.city.registry.clock import SpaceUnknown
from zhiwan.city.registry.middleware import HEADER
from zhiwan.city.registry.spaces import space_in_use

View = TypeVar("View", bound=Callable[..., Any])


class TokenAuth(HttpBearer):
    """`Authorization: Bearer zw_…`. Gives the key, or None, which is answered with 401.

    Wrong keys are counted by address, calls of a right one by its account; beyond the limit both are answered with 429.
    A right key is never shut out by a neighbour's wrong one.
    """

    def authenticate(self, request: HttpRequest, token: str) -> ServiceKey | None:
        now, address = timezone.now(), request.META.get("REMOTE_ADDR") or ""
        found = machines.find(token, address=address or None, at=now)
        if found is None:
            rates.count_failure(address, now)
        else:
            rates.count_call(str(found.account_id), now)
        return found


def as_caller(action: str) -> Callable[[View], View]:
    """Run an operation in one transaction as the post of the caller's key, live or in the story that is named.

    `action` is what the operation does: a post whose role does not hold it is refused before it runs.
    """

    def wrap(view: View) -> View:
        return declares(action)(_acting(view, action))

    return wrap


def _acting(view: View, action: str) -> View:
    @functools.wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key: ServiceKey = request.auth  # type: ignore[attr-defined]
        scope = OF_OPERATION.get(view.__name__)
        if scope is None or scope not in key.account.scopes:
            raise ScopeMissing(scope=scope or view.__name__, scopes=", ".join(key.account.scopes))
        wished = request.headers.get(HEADER) or request.GET.get("space") or LIVE
        if space_in_use(wished) != wished:
            raise SpaceUnknown(space=wished)
        request.space = wished  # type: ignore[attr-defined]
        post, address = key.account.post, request.META.get("REMOTE_ADDR") or None
        with acting(post, address=address, space=wished, name=f"service:{key.account.title}"[:80]):
            guard.require_open(action)
            return view(request, *args, **kwargs)

    return cast(View, run)
