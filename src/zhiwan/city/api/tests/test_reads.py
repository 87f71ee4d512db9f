"""The API as an integrator meets it: tokens, scope of the post, paging, and one shape for every error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from trial_pack import loaded, trial_pack
from zhiwan.city.api.routes import api
from zhiwan.city.api.scopes import OF_OPERATION, SCOPES
from zhiwan.city.keeping import plan
from zhiwan.city.keeping.models import Backup, Drill
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.people.ways_in import limits, machines, rates
from zhiwan.city.people.ways_in.errors import TooOften
from zhiwan.city.people.ways_in.models import ServiceAccount, ServiceKey
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
        token = machines.create(title="test", post=post, scopes=SCOPES)[1]
    return Client(headers={"authorization": f"Bearer {token}"})


def get(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_without_a_token_nothing_is_told(town: Client) -> None:
    for client in (Client(), Client(headers={"authorization": "Bearer zw_wrong"})):
        assert get(client, "/entities", 401)["code"] == "API-401"


def test_a_key_that_ended_opens_nothing(town: Client) -> None:
    with acting_system("cli"):
        machines.end_key(account=ServiceAccount.objects.get(), key_id=ServiceKey.objects.get().pk)
    get(town, "/entities", 401)


def test_a_key_opens_what_its_scopes_name_and_no_more(town: Client) -> None:
    with acting_system("cli"):
        machines.change_scopes(account=ServiceAccount.objects.get(), scopes=["alarm.read"])
    get(town, "/alarms")
    refused = get(town, "/entities", 403)
    assert refused["code"] == "WAYS-013"
    assert "entity.read" in refused["fact"]


def test_every_operation_has_a_scope_and_one_without_is_refused(town: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = {
        operation.view_func.__name__
        for _prefix, router in api._routers
        for path in router.path_operations.values()
        for operation in path.operations
    }
    assert operations == set(OF_OPERATION)
    monkeypatch.delitem(OF_OPERATION, "alarms")
    get(town, "/alarms", 403)


def test_an_address_that_guesses_keys_is_told_to_wait_and_a_right_key_is_not(town: Client) -> None:
    wrong = Client(headers={"authorization": "Bearer zw_guess"})
    most = limits.at(timezone.now()).failures_of_an_address
    answers = [wrong.get("/api/v1/alarms") for _ in range(most + 1)]
    assert {one.status_code for one in answers[:-1]} == {401}
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 601
    get(town, "/alarms")


def test_a_program_that_runs_wild_is_told_to_wait_and_its_neighbour_is_not(
    town: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = limits.at
    monkeypatch.setattr(limits, "at", lambda when: replace(declared(when), calls_a_minute=3))
    monkeypatch.setattr(rates, "_CALLS_TOLD", 1)
    monkeypatch.setattr(rates, "_calls", {})
    with acting_system("cli"):
        other = machines.create(title="other", post=Post.objects.get(), scopes=SCOPES)[1]
    answers = [town.get("/api/v1/alarms") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 61
    assert Client(headers={"authorization": f"Bearer {other}"}).get("/api/v1/alarms").status_code == 200


def test_calls_are_told_in_bundles_and_are_free_again_after_the_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = limits.at
    monkeypatch.setattr(limits, "at", lambda when: replace(declared(when), calls_a_minute=120))
    monkeypatch.setattr(rates, "_calls", {})
    begun = timezone.now()
    for _ in range(149):
        rates.count_call("7", begun)
    with pytest.raises(TooOften):  # two bundles of fifty pass, the third is beyond
        rates.count_call("7", begun)
    with pytest.raises(TooOften):
        rates.count_call("7", begun + timedelta(seconds=59))
    rates.count_call("7", begun + timedelta(seconds=61))


def test_the_use_of_a_key_is_noted(town: Client) -> None:
    get(town, "/alarms")
    with acting_system("cli"):
        assert ServiceKey.objects.get().last_used_at is not None
        assert ServiceKey.objects.get().last_address == "127.0.0.1"


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


def test_health_tells_of_the_backup_without_being_ill_for_it(tmp_path: Path, settings: Any) -> None:
    settings.ZHIWAN_DATA = tmp_path
    now = timezone.now()

    def told() -> tuple[str, str]:
        part = Client().get("/healthz").json()["parts"]["backup"]
        return part["state"], part.get("code", "")

    assert told() == ("ok", "BACKUP_NONE")
    planned = plan.BackupPlan(to="/a", keys_to="/b", keep_days=3, since=now - timedelta(hours=30))
    plan.write_plan(tmp_path, planned)
    assert told() == ("low", "BACKUP_LATE")
    with acting_system("cli"):
        Backup.objects.create(id="b", made_at=now, bytes=1, archive="/a/b", key_file="/b/b")
    assert told() == ("ok", "")
    plan.write_night(tmp_path, plan.Night(began_at=now, ended_at=now, problems=["no room"]))
    assert told() == ("low", "NIGHT_PROBLEMS")
    plan.write_night(tmp_path, plan.Night(began_at=now, ended_at=now))
    with acting_system("cli"):
        Drill.objects.create(at=now, held=False, differences=1)
    assert told() == ("low", "DRILL_FAILED")
