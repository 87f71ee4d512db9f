"""Random requests over the whole OpenAPI, as nobody and as each role: none fails, none tells what lies outside.

Schemathesis makes the requests from the description that integrators read: within it and beside it. Half of them name
a thing that is there, near or far, so that rows are reached and not only refusals.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import strategies as st
from permission_world import COLUMNS, FAR, PERSON, World
from test_permissions import world  # noqa: F401 - the fixture of the city

NOBODY = "nobody"
#: Of each operation, for each role.
EXAMPLES = 12


@pytest.fixture(scope="module")
def operations(world: World) -> list[Any]:  # noqa: F811
    description = Client().get("/api/v1/openapi.json").json()
    found = [one.ok() for one in schemathesis.openapi.from_dict(description).get_all_operations()]
    assert len(found) >= 9, "the whole API is described"
    return [one.as_strategy() for one in found]


@pytest.mark.mission("E3")
@pytest.mark.parametrize("column", [NOBODY, *COLUMNS])
def test_no_request_fails_or_tells_what_lies_outside(
    world: World,  # noqa: F811
    operations: list[Any],
    column: str,
) -> None:
    tokens = {} if column == NOBODY else {"authorization": f"Bearer {world.tokens[column]}"}
    client = Client(headers=tokens, raise_request_exception=False)
    ids = sorted({str(one) for side in (world.near, world.far) for one in side.values()})
    hidden = [*PERSON, *(FAR if column == NOBODY or COLUMNS[column].narrow else ())]

    for cases in operations:

        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
        )  # fmt: skip
        @hypothesis.given(case=cases, known=st.none() | st.sampled_from(ids))
        def ask(case: Any, known: str | None) -> None:
            path = case.operation.full_path
            for name, value in (case.path_parameters or {}).items():
                path = path.replace(f"{{{name}}}", quote(known or str(value), safe=""))
            with transaction.atomic():
                answer = client.generic(
                    case.method.upper(), path, _body(case), content_type=case.media_type or "application/json",
                    query_params=dict(case.query or {}),
                )  # fmt: skip
                transaction.set_rollback(True)
            body = answer.content.decode("utf-8", "replace")
            request = f"{case.method} {path} {dict(case.query or {})}"
            assert answer.status_code < 500, f"{request}: {answer.status_code} {body[:300]}"
            if column == NOBODY:
                assert answer.status_code in (401, 404, 429), f"{request}: {answer.status_code}"
            told = [word for word in hidden if word in body.replace(known or "\0", "")]
            assert not told, f"{request} tells {told}"

        ask()


def _body(case: Any) -> bytes:
    body = case.body
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    if body is None or type(body).__name__ == "NotSet":
        return b""
    import orjson

    try:
        return orjson.dumps(body)
    except TypeError:
        return repr(body).encode()
