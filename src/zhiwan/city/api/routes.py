"""The API as one object: routers, errors and the addresses below /api/v1."""

from __future__ import annotations

from ninja import NinjaAPI

from zhiwan.city.api import errors, observations, reads
from zhiwan.city.api.auth import TokenAuth

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
