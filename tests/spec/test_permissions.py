"""permissions.md against the product: every address and every operation, as every role, near and far.

A cell holds if what happens is what it says; a page that opens must show nothing of what lies far, of a person, or of a
kind that the role does not see. Twenty sabotaged guards, one after the other, must each make it fail: a matrix that
nothing can break proves nothing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.messages import get_messages
from django.db import transaction
from django.test import Client, TransactionTestCase
from django.urls import reverse
from permission_world import (
    ALARM_WORDS,
    CASE_WORDS,
    COLUMNS,
    EAST,
    FAR,
    GIVEN,
    INDICATOR,
    PERSON,
    RULE,
    World,
    found,
    use_packs,
)

from zhiwan.city import packs_loaded
from zhiwan.city.api.routes import operations
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import AuditRecord

SPEC = Path(__file__).with_name("permissions.md")
SAME = {"passed": {"yes"}, "refused": {"–"}}


@dataclass(frozen=True)
class Row:
    """One line of a table: what is asked, and the word for each role."""

    what: str
    request: str
    cells: dict[str, str]

    @property
    def words(self) -> list[str]:
        return self.request.split()


@cache
def rows() -> dict[str, Row]:
    """The lines of all tables, by their request."""
    read: dict[str, Row] = {}
    for line in SPEC.read_text("utf-8").splitlines():
        cells = [part.strip() for part in line.strip().strip("|").split("|")]
        if not line.startswith("|") or cells[0] in ("what", "") or set(cells[0]) == {"-"}:
            continue
        what, request, *words = cells
        assert len(words) == len(COLUMNS), line
        assert set(words) <= {"yes", "own", "given", "–"}, line
        assert request not in read, f"{request} stands there twice"
        read[request] = Row(what, request, dict(zip(COLUMNS, words, strict=True)))
    return read


@pytest.fixture(scope="module")
def world(migrated: Any, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The city, once for the module: every request is undone."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        use_packs(patch, tmp_path_factory.mktemp("data"), settings)
        yield found()
        TransactionTestCase._fixture_teardown(None)  # type: ignore[arg-type]  # as conftest.py replaced it
        packs_loaded.use_bus(None)
    packs_loaded.forget()


# -- asking ------------------------------------------------------------------------------------------------------------

#: The kind of thing an address names, and the part of the address that names it.
SUBJECTS: dict[str, str] = {
    "map_card": "entity", "entity": "entity", "entity_reveal": "entity",
    "entity_retire": "entity", "entity_return": "entity",
    "device_rotate": "device", "device_revoke": "device", "device_restore": "device", "device_command": "device",
    "alarm": "alarm", "alarm_acknowledge": "alarm", "alarm_recompute": "alarm",
    "warning": "warning", "warning_move": "warning", "response": "response", "response_end": "response",
    "task_move": "task", "case": "case", "case_move": "case", "set_aside_move": "set_aside",
}  # fmt: skip
#: Parts of an address that name no thing.
PARTS: dict[str, dict[str, Any]] = {
    "map_area_card": {"code": EAST}, "indicator": {"id": INDICATOR}, "rule": {"id": RULE}, "import_run": {"id": "none"},
    "entity_reveal": {"name": "keeper"}, "rule_change": {"id": RULE}, "rule_declared": {"id": RULE},
    "parameter_change": {"id": RULE, "parameter": "none"}, "amendment": {"number": 0}, "amendment_move": {"number": 0},
    "account": {"id": 0}, "account_unlock": {"id": 0}, "account_revoke": {"id": 0}, "account_switch": {"id": 0},
    "account_recover": {"id": 0}, "service": {"id": 0}, "service_rotate": {"id": 0}, "service_end": {"id": 0},
    "audit_record": {"chain": "accounts", "seq": 0}, "audit_run": {"id": 0}, "personal_move": {"id": 0},
}  # fmt: skip
FORMS: dict[str, dict[str, str]] = {
    "space": {"space": "live"},
    "entity_reveal": {"purpose": "duty", "reason": "to call the keeper"},
    "device_revoke": {"reason": "stolen"},
    "entity_retire": {"reason": "taken down"},
    "response_start": {"plan": "governance.surge.plan|iv"},
    "case_move close": {"outcome": "true"},
    "case_move handle": {"note": "done"},
    "warning_move edit": {"text_zh": "y", "text_en": "y"},
    "warning_move change": {"level": "iv"},
    "warning_move reject": {"note": "no need"},
    "set_aside_move fix": {"value": "2.5", "property": "level"},
    "set_aside_move drop": {"note": "broken"},
    "setup_new_link": {"account": "nobody"},
}
API_SUBJECTS = {"entities/{id}": "entity", "entities/{id}/history": "entity", "alarms/{id}": "alarm"}
HISTORY = {"property": "level", "from": "2026-07-01T00:00:00Z", "to": "2026-07-02T00:00:00Z"}


def url_of(row: Row, subject: Any) -> str:
    """The address of a page: its name, the thing it names, the step or list that the line names."""
    _, name, *more = row.words
    parts: dict[str, Any] = dict(PARTS.get(name, {}))
    if name in SUBJECTS:
        parts["id"] = subject
    if name.endswith("_move"):
        parts["step"] = more[0]
    if name.startswith("setup_") and more:
        parts["kind"] = more[0]
        parts |= {"form": "csv"} if name == "setup_template" else {}
        parts |= {"token": "none"} if name in ("setup_preview", "setup_result") else {}
    url = reverse("ca_certificate") if name == "ca_certificate" else reverse(f"portal:{name}", kwargs=parts)
    return f"{url}?format=csv" if more == ["csv"] else f"{url}?q={CASE_WORDS}" if name == "search" else url


@dataclass(frozen=True)
class Answer:
    """What came of a request: passed, refused or absent; and what it showed."""

    outcome: str
    body: str


def ask(world: World, row: Row, column: str, subject: Any) -> Answer:
    """One request, undone afterwards."""
    with transaction.atomic():
        response = _api(world, row, column, subject) if row.words[0] == "API" else _page(world, row, column, subject)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        told = [str(one) for one in get_messages(response.wsgi_request)] if hasattr(response, "wsgi_request") else []
        transaction.set_rollback(True)
    text = body.decode("utf-8", "replace")
    # PEOPLE-… is the guard's own no; any other code came after it (a wrong state, a missing field).
    # Who arrives without a command map is led to what the post has.
    led_on = row.request == "GET map" and response.status_code == 302
    refused = response.status_code in (401, 403) or led_on or any("PEOPLE-" in one for one in told)
    assert response.status_code < 500, (row.request, column)
    return Answer("refused" if refused else "absent" if response.status_code == 404 else "passed", text)


def _page(world: World, row: Row, column: str, subject: Any) -> Any:
    client, url = world.clients[column], url_of(row, subject)
    form = FORMS.get(" ".join(row.words[1:])) or FORMS.get(row.words[1]) or {}
    if row.words[1] == "warning_new":
        form = {"kind": f"governance.surge.storm_{subject}|iv", "area": EAST}
    return client.post(url, form) if row.words[0] == "POST" else client.get(url)


def _api(world: World, row: Row, column: str, subject: Any) -> Any:
    _, method, path = row.words
    client = Client(headers={"authorization": f"Bearer {world.tokens[column]}"})
    url = f"/api/v1/{path.replace('{id}', str(subject))}"
    if method == "POST":
        return client.post(url, "[]", content_type="application/json")
    return client.get(url, HISTORY if path.endswith("history") else {})


def subjects(world: World, row: Row, column: str) -> tuple[Any, Any, Any]:
    """(near, given, far) of this line for this role; None where there is none."""
    if row.words[0] == "API":
        kind = API_SUBJECTS.get(row.words[2], "")
    elif row.words[1] == "warning_new":
        return "nobody", GIVEN[column], None
    else:
        kind = SUBJECTS.get(row.words[1], "")
    if not kind:
        return None, None, None
    given = world.given.get("receipt" if row.request.endswith("receive") and kind == "warning" else kind, {})
    near, far = world.near.get(kind), world.far.get(kind)
    if kind == "warning" and COLUMNS[column].scope.get("scope") == "own":
        near, far = world.near["told"], world.far["told"]
    elif kind in ("warning", "response", "task") and column == "Dept":
        far = None  # a department of the whole district: what is said to everyone, and its plans' tasks in every town
    return near, given.get(column), far


def mismatches(world: World, row: Row, columns: Any = COLUMNS) -> list[str]:
    """Where the product and the line differ."""
    wrong = []
    for column in columns:
        cell = row.cells[column]
        near, given, far = subjects(world, row, column)
        asked: list[tuple[str, Any, set[str]]] = []
        match cell:
            case "–":
                asked = [("near", near, {"refused"})]
                asked += [("given", given, {"refused"})] if given is not None else []
            case "yes":
                asked = [("near", near, {"passed"} if near is not None else {"passed", "absent"})]
            case "own":
                asked = [("near", near, {"passed"}), ("far", far, {"absent"})]
            case "given":
                asked = [("near", near, {"refused", "absent"}), ("given", given, {"passed"})]
                asked += [("far", far, {"absent"})] if far is not None and COLUMNS[column].narrow else []
        for which, subject, expected in asked:
            answer = ask(world, row, column, subject)
            if answer.outcome not in expected:
                wrong.append(f"{row.request} as {column} on {which}: {answer.outcome}, the table says {cell}")
            wrong += [f"{row.request} as {column} shows {word}" for word in leaks(row, column, answer.body, subject)]
    return wrong


def leaks(row: Row, column: str, body: str, subject: Any) -> list[str]:
    """Words that this role must not read here."""
    hidden: list[str] = []
    # What is said to everyone of the district is said to a department of the whole district too.
    said_to_all = column == "Dept" and row.words[1] in ("warnings", "warning", "responses", "response", "task_move")
    if COLUMNS[column].narrow and not said_to_all:
        hidden += FAR
    if row.words[1] != "entity_reveal":
        hidden += PERSON
    if rows()["GET case"].cells[column] == "–" and row.words[1] != "search":
        hidden.append(CASE_WORDS)
    if row.words[1] == "search" and rows()["GET case"].cells[column] == "–":
        hidden += [f"{side}{CASE_WORDS}" for side in ("近处", "远处")]  # the words alone were asked for
    if rows()["GET alarm"].cells[column] == "–":
        hidden.append(ALARM_WORDS)
    echoed = body.replace(str(subject), "") if subject is not None else body
    return [word for word in hidden if word in echoed]


# -- the tables hold ---------------------------------------------------------------------------------------------------


@pytest.mark.mission("E3")
@pytest.mark.parametrize("request_", rows())
def test_the_table_holds(world: World, request_: str) -> None:
    assert mismatches(world, rows()[request_]) == []


def strangers() -> set[str]:
    text = SPEC.read_text("utf-8").partition("## Without signing in")[2]
    return set(re.findall(r"`([a-z_-]+)`", text.partition("Of an account")[0]))


def accounts() -> set[str]:
    return set(re.findall(r"`([a-z_-]+)`", SPEC.read_text("utf-8").partition("Of an account")[2]))


def route_names() -> dict[str, str]:
    """Name → an address, of every page."""
    from django.urls import get_resolver

    portal = next(one for one in get_resolver().url_patterns if getattr(one, "namespace", "") == "portal")
    return {one.name: str(one.pattern) for one in portal.url_patterns}


def test_every_address_and_operation_stands_in_a_table() -> None:
    in_tables = {row.words[1] for row in rows().values() if row.words[0] != "API"}
    assert set(route_names()) == (in_tables | accounts() | (strangers() & set(route_names())))
    told = {(row.words[2], row.words[1]) for row in rows().values() if row.words[0] == "API"}
    assert told == set(operations())
    kinds = {row.words[2] for row in rows().values() if row.words[1] == "setup_list"}
    from zhiwan.city.portal.views.setup import LISTS
    from zhiwan.city.portal.views.warnings import _STEPS

    assert kinds == set(LISTS)
    assert {row.words[2] for row in rows().values() if row.words[1] == "warning_move"} == set(_STEPS)


def test_strangers_are_answered_only_where_it_is_said(world: World) -> None:
    client = Client()
    opened = set()
    for name, pattern in route_names().items():
        url = "/" + re.sub(r"<(int|str):\w+>", "1", re.sub(r"<uuid:\w+>", str(uuid.UUID(int=0)), pattern))
        answers = {client.get(url).status_code, client.post(url).status_code}
        if not answers <= {302, 401, 405}:
            opened.add(name)
        elif 302 in answers and name not in strangers():
            assert client.get(url).headers.get("Location", "/in").startswith("/in"), name
    assert opened <= strangers()
    for path, method in operations():
        answer = client.generic(method, f"/api/v1/{path.replace('{id}', '1')}")
        assert answer.status_code == 401, path


def test_an_administrator_without_a_second_factor_does_nothing(world: World) -> None:
    from zhiwan.city.people.models import User

    for column in ("Sys", "Sec", "Aud"):
        client = Client()
        with transaction.atomic():
            client.force_login(User.objects.get(username=f"u-{COLUMNS[column].id}"))
            for url in ("/menu", "/health", "/setup"):
                assert client.get(url).status_code == 403, (column, url)
            transaction.set_rollback(True)


def test_a_field_above_what_may_be_revealed_is_not_offered(world: World) -> None:
    """Names and phones (grade 3) are; a home (grade 4) is shown to nobody yet, so no button leads to a refusal."""
    page = world.clients["Chief"].get(reverse("portal:entity", args=["gauge-e"])).content.decode()
    offered = re.findall(r"/reveal/(\w+)", page)
    assert sorted(offered) == ["keeper", "phone"]


@pytest.mark.mission("E4")
def test_a_personal_field_is_shown_for_a_purpose_in_force_and_the_audit_keeps_which(world: World) -> None:
    client, keeper = world.clients["Chief"], PERSON[0]
    url = reverse("portal:entity_reveal", args=["gauge-e", "keeper"])
    page = client.get(reverse("portal:entity", args=["gauge-e"])).content.decode()
    assert set(re.findall(r'<option value="([a-z-]+)"', page)) == {"duty"}, "one that has ended is not offered"
    assert "reader-mark" not in page
    for purpose in ("", "former", "declared-nowhere"):
        with transaction.atomic():
            answer = client.post(url, {"purpose": purpose, "reason": "to call the keeper"}, follow=True)
            transaction.set_rollback(True)
        told = answer.content.decode()
        assert "PEOPLE-009" in told, purpose
        assert keeper not in told, purpose
    with transaction.atomic():
        answer = client.post(url, {"purpose": "duty", "reason": "to call the keeper"})
        assert keeper in (shown := answer.content.decode())
        assert shown.count("u-p-chief ·") > 10, "the reader's mark lies over the page"
        with acting_system("cli"):
            kept = AuditRecord.objects.filter(action="entity.reveal").latest("at")
        assert (kept.purpose, kept.after) == (
            "to call the keeper", {"field": "Gauge.keeper", "grade": 3, "purpose": "duty"}
        )  # fmt: skip
        transaction.set_rollback(True)


def test_the_register_shows_what_is_read_for_what_and_what_for_nothing(world: World) -> None:
    page = world.clients["Chief"].get(reverse("portal:purposes")).content.decode()
    assert "值守联络" in page
    assert "已结束" in page
    assert "没有使用目的的个人信息" in page, "a home is covered by a purpose that has ended only"
    answer = world.clients["Chief"].get(reverse("portal:purposes") + "?format=csv")
    sheet = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert "Gauge.keeper; Gauge.phone" in sheet
