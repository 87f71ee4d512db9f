"""Every address declares what is done there, every name of an action is declared; what declares nothing is closed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, path

from zhiwan.city.api.routes import operation_action, operations
from zhiwan.city.people.roles import CITY, action_book, role_book
from zhiwan.city.people.routes import Opened, action_of
from zhiwan.city.portal.gate import RouteGate
from zhiwan.city.portal.views.live import READING
from zhiwan.city.portal.views.setup import LISTS
from zhiwan.city.watch.warning_life import MOVES

ROUTES = 60  # more than this many; a walk that finds none would find nothing wrong


def patterns(inside: list[Any] | None = None, before: str = "", api: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """(route, pattern, whether it is of the API) of the whole tree."""
    for one in get_resolver().url_patterns if inside is None else inside:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one.url_patterns, route, api or one.namespace == "api")
        elif isinstance(one, URLPattern):
            yield route, one, api


def asked(route: str, pattern: URLPattern, method: str) -> Any:
    """A request as the gate sees one, once its address was resolved."""
    match = SimpleNamespace(namespaces=["api"], url_name=pattern.name, route=route)
    return SimpleNamespace(resolver_match=match, method=method)


@pytest.mark.mission("E3")
def test_every_route_declares_an_action_that_is_declared() -> None:
    found = 0
    undeclared, unknown = [], []
    for route, pattern, api in patterns():
        opened = [action_of(pattern.callback)]
        if api:
            methods = {method for path, method in operations() if route.endswith(as_django(path))} or {"GET"}
            opened = [operation_action(asked(route, pattern, method)) for method in methods]
        for one in opened:
            found += 1
            if one is None:
                undeclared.append(route)
            else:
                unknown += [(route, action) for action in one.actions.values() if action not in action_book()]
    assert not undeclared
    assert not unknown
    assert found > ROUTES


def as_django(path: str) -> str:
    return path.replace("{", "<").replace("}", ">")


def test_every_operation_of_the_api_is_known_to_the_gate() -> None:
    """An operation of a router that the gate does not know would be closed; here it is told before."""
    routes = [route for route, pattern, api in patterns() if api and pattern.name not in ("openapi-json", "api-root")]
    known = {as_django(path) for path, _ in operations()}
    assert {route.removeprefix("api/v1/") for route in routes} == known
    assert all(isinstance(action_of(function), Opened) for function in operations().values())


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("open")


def test_a_view_that_declares_nothing_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    request: Any = RequestFactory().get("/bare")
    request.user, request.session = AnonymousUser(), {}
    request.resolver_match = path("bare", bare).resolve("bare")
    answer = RouteGate(bare).process_view(request, bare, (), {})
    assert answer is not None
    assert answer.status_code == 403
    assert "declared nowhere" in caplog.text


def test_an_operation_that_declares_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhiwan.city.api.routes.operations", lambda: {("bare", "GET"): bare})
    request = asked("api/v1/bare", path("bare", bare), "GET")
    assert operation_action(request) is None


def literals(tree: ast.AST) -> Iterator[str]:
    """First arguments of require(…), may(…), may_open(…), opens(…), declares(…), as_caller(…), and roles of a step."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if name in {"require", "may", "may_open", "require_open", "opens", "declares", "as_caller"}:
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
            elif isinstance(first, ast.Dict):
                yield from (str(one.value) for one in first.values if isinstance(one, ast.Constant))


def test_every_action_that_the_code_names_is_declared() -> None:
    named = {
        (file.name, action)
        for file in CITY.rglob("*.py")
        if "/tests/" not in file.as_posix()
        for action in literals(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert len(named) > 50
    assert [one for one in named if one[1] not in action_book()] == []
    mapped = {*READING.values(), *LISTS.values(), *(action for action, _, _ in MOVES.values())}
    assert mapped <= set(action_book())


def test_every_declared_action_can_be_done_by_somebody() -> None:
    """An action that no role holds, no process does and no pack gives would be a dead word."""
    book = role_book()
    idle = [
        one.id
        for one in action_book().values()
        if one.to == "post" and not one.system and not one.given and not book.roles_with(one.id)
    ]
    assert idle == []


def test_the_menu_and_the_templates_name_declared_actions() -> None:
    """`{% if "list.export"|may %}`: a misspelt one would hide the button from everybody."""
    folder = Path(CITY / "portal/templates")
    named = {
        part.rsplit('"', 1)[-1]
        for file in folder.rglob("*.html")
        for part in file.read_text(encoding="utf-8").split('"|may')[:-1]
    }
    assert named
    assert named <= set(action_book())
