"""The API as one object: routers, errors and the addresses below /api/v1."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI

from zhiwan.city.api import errors, observations, reads
from zhiwan.city.api.auth import TokenAuth
from zhiwan.city.people.routes import Opened, action_of, opened

api = NinjaAPI(
    title="Zhiwan 智湾",
    version="1",
    description=(
        "Readings in, entities, history, vital signs, alarms, warnings and cases out. Every answer is in the scope of "
        "the token's post. Errors carry code, fact, detail and hint."
    ),
    auth=TokenAuth(),
    docs_url=None,  # its page loads scripts inline, which the content security policy refuses
    urls_namespace="api",
)
errors.register(api)
api.add_router("", observations.router, tags=["readings"])
api.add_router("", reads.router, tags=["reads"])

_ROUTERS = (observations.router, reads.router)
#: Pages of the API that ninja makes itself: its description, and a root that lists nothing.
_DESCRIPTION = {"openapi-json", "api-root"}


def operations() -> dict[tuple[str, str], Any]:
    """(route below the API, method) → the function of the operation."""
    return {
        (path.lstrip("/"), method): operation.view_func
        for router in _ROUTERS
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }


def operation_action(request: HttpRequest) -> Opened | None:
    """What an operation of the API declares; None for what is no operation, or declares nothing.

    ninja makes one view for all methods of a path: the mark is on the function behind it. A method that is not there is
    answered by ninja.
    """
    match = request.resolver_match
    if match is None or "api" not in match.namespaces:
        return None
    if match.url_name in _DESCRIPTION:
        return opened("api.describe")
    known = {
        method: action_of(function)
        for (path, method), function in operations().items()
        if match.route.endswith(_as_django(path))
    }
    return known.get(request.method or "", opened("api.describe")) if known else None


def _as_django(path: str) -> str:
    """entities/{id} → entities/<id>, as Django names the part."""
    return path.replace("{", "<").replace("}", ">")
