"""The API as an integrator meets it: tokens, scope of the post, paging, and one shape for every error."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from trial_pack import loaded, trial_pack
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_token
from zhiwan.city.people.models import ApiToken, Organisation, Post
from zhiwan.city.registry.models import Entity
from zhiwan.city.watch.models import LatestValue

AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _pack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loaded(monkeypatch, trial_pack()):
        yield


@pytest.fixture
def town() -> Client:
    """A caller whose post covers one town of two."""
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="办", name_en="office", area="990001")
        post = Post.objects.create(
            id="t1",
            role="operator",
            title_zh="一",
            title_en="one",
            organisation=office,
            scope="towns",
            towns=["990001101"],
        )
        for id, area in (("g1", "990001101"), ("g2", "990001102")):
            Entity.objects.create(id=id, type="Gauge", name=id, town=area, area=area)
            LatestValue.objects.create(
                entity_id=id,
                property="level",
                observed_at=AT,
                value=2.5,
                quality=0,
                source=id,
                recorded_at=AT,
                town=area,
            )
        token = create_token(title="test", post=post)
    return Client(headers={"authorization": f"Bearer {token}"})


def get(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_without_a_token_nothing_is_told(town: Client) -> None:
    for client in (Client(), Client(headers={"authorization": "Bearer zw_wrong"})):
        assert get(client, "/entities", 401)["code"] == "API-401"


def test_a_revoked_token_opens_nothing(town: Client) -> None:
    with acting_system("cli"):
        ApiToken.objects.update(revoked_at=AT)
    get(town, "/entities", 401)


def test_a_post_sees_its_towns_only(town: Client) -> None:
    found = get(town, "/entities")
    assert ([row["id"] for row in found["rows"]], found["total"]) == (["g1"], 1)
    assert get(town, "/entities/g1")["values"][0]["value"] == 2.5
    refused = get(town, "/entities/g2", 404)
    assert (refused["code"], set(refused)) == ("API-404", {"code", "fact", "detail", "hint"})


@pytest.mark.parametrize(
    "path",
    [
        "/entities?size=0",
        "/entities?size=501",
        "/entities?area=';--",
        "/alarms?state=open-ish",
        "/alarms?since=2026-07-01T08:00:00",
        "/entities/g1/history?property=depth&from=2026-07-01T00:00:00Z&to=2026-07-02T00:00:00Z",
        "/entities/g1/history?property=level&from=2026-07-02T00:00:00Z&to=2026-07-01T00:00:00Z",
        "/entities/g1/history?property=level&from=2020-01-01T00:00:00Z&to=2026-07-01T00:00:00Z",
        "/entities/g1/history?property=level&from=2020-01-01T00:00:00Z&to=2026-07-01T00:00:00Z&every=1s",
        "/entities/g1/history?property=level&from=2026-07-01T00:00:00Z&to=2026-07-02T00:00:00Z&every=soon",
    ],
)
def test_parameters_that_cannot_be_meant_are_refused_with_the_next_step(town: Client, path: str) -> None:
    refused = get(town, path, 422)
    assert refused["code"] == "API-422"
    assert refused["detail"]
    assert refused["hint"]


def test_every_list_answers_empty_where_nothing_is(town: Client) -> None:
    for path in ("/alarms", "/warnings", "/cases"):
        assert get(town, path) == {"rows": [], "total": 0, "page": 1, "size": 50}


def test_health_names_every_part_and_metrics_can_be_read() -> None:
    answer = Client().get("/healthz")
    assert answer.status_code == 503  # nothing but the database runs here
    parts = answer.json()["parts"]
    assert parts["database"]["state"] == "ok"
    assert parts["worker"]["state"] == "down"
    assert b'zhiwan_part_up{part="database"} 1.0' in Client().get("/metrics").content


def test_the_openapi_description_names_all_operations(town: Client) -> None:
    assert set(get(town, "/openapi.json")["paths"]) >= {
        "/api/v1/entities",
        "/api/v1/entities/{id}",
        "/api/v1/entities/{id}/history",
        "/api/v1/indicators",
        "/api/v1/alarms",
        "/api/v1/alarms/{id}",
        "/api/v1/warnings",
        "/api/v1/cases",
    }
