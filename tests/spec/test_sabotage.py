"""Guards that were broken on purpose, one at a time: the matrix of permissions must notice each. One that it lets pass
is a hole in the matrix, whatever the guard does today."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpResponse
from django.urls import get_resolver
from test_permissions import mismatches, rows, world  # noqa: F401 - the fixture of the city

from zhiwan.city.people import guard
from zhiwan.city.people.acting import acting_system, current_actor
from zhiwan.city.people.roles import role_book
from zhiwan.city.people.routes import declares
from zhiwan.city.people.shown import Shown
from zhiwan.city.portal.gate import opens
from zhiwan.kernel.guard.people import EVERYWHERE

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Sabotage:
    """What is broken, how, and which lines of the tables must notice."""

    what: str
    lines: tuple[str, ...]
    breaks: Callable[[Patch], Any] = lambda patch: None
    sql: tuple[str, ...] = ()
    mends: tuple[str, ...] = ()


def pattern(name: str) -> Any:
    portal = next(one for one in get_resolver().url_patterns if getattr(one, "namespace", "") == "portal")
    return next(one for one in portal.url_patterns if one.name == name)


def view(name: str, change: Callable[[Any], Any]) -> Callable[[Patch], Any]:
    """Put something else in the place of a view; `change` gets it without any of its decorators."""

    def put(patch: Patch) -> None:
        patch.setattr(pattern(name), "callback", change(inspect.unwrap(pattern(name).callback)))

    return put


def unguarded(module: str) -> Callable[[Patch], Any]:
    """An app's actions without their first line."""

    def put(patch: Patch) -> None:
        open_ = SimpleNamespace(require=lambda *args, **kwargs: current_actor(), may=lambda *a, **k: True)
        patch.setattr(f"{module}.guard", open_)

    return put


def both(*all_: Callable[[Patch], Any]) -> Callable[[Patch], Any]:
    def put(patch: Patch) -> None:
        for one in all_:
            one(patch)

    return put


def setting(name: str, value: Any) -> Callable[[Patch], Any]:
    return lambda patch: patch.setattr(name, value)


def as_system(inner: Any) -> Any:
    """A view that looks with the eyes of the platform."""

    def looked(request: Any, *args: Any, **kwargs: Any) -> Any:
        with acting_system("web"):
            return inner(request, *args, **kwargs)

    return opens("case.read")(looked)


@contextmanager
def system_instead(post: Any, **kwargs: Any) -> Iterator[Any]:
    with acting_system("web") as actor:
        yield actor


def role_with(role: str, more: str = "", less: str = "") -> Callable[[Patch], Any]:
    def put(patch: Patch) -> None:
        held = role_book()._held
        changed = (held[role] | ({more} if more else set())) - {less}
        patch.setitem(held, role, frozenset(changed))

    return put


def forbidden(request: Any, what: str) -> HttpResponse:
    return HttpResponse("there is one", status=403)


A = "zhiwan.city"
SABOTAGES = (
    Sabotage("a view lost its mark", ("GET alarms",), view("alarms", lambda inner: inner)),
    Sabotage("marked, but not asked", ("GET alarms",), view("alarms", declares("alarm.read"))),
    Sabotage("a page asks for the wrong action", ("GET case",), view("case", opens("way.frame"))),
    Sabotage("a page asks for one that few hold", ("GET indicators",), view("indicators", opens("warning.publish"))),
    Sabotage("a view acts as the system", ("GET case",), view("case", as_system)),
    Sabotage(
        "actions on cases unguarded", ("POST case_move take", "POST case_move close"), unguarded(f"{A}.cases.actions")
    ),
    Sabotage("actions on warnings unguarded", ("POST warning_move sign",), unguarded(f"{A}.watch.actions.warnings")),
    Sabotage("actions on plans unguarded", ("POST task_move finish",), unguarded(f"{A}.plans.actions")),
    Sabotage(
        "acknowledging asks for reading only, and its action for nothing",
        ("POST alarm_acknowledge",),
        both(view("alarm_acknowledge", opens("alarm.read")), unguarded(f"{A}.watch.actions.alarms")),
    ),
    Sabotage(
        "revealing asks for reading only, and its action for nothing",
        ("POST entity_reveal",),
        both(view("entity_reveal", opens("entity.read")), unguarded(f"{A}.registry.actions")),
    ),
    Sabotage("lists leave the house unasked", ("GET alarms csv",), unguarded(f"{A}.portal.views.base")),
    Sabotage(
        "the API asks for no action",
        ("API GET cases",),
        setting(f"{A}.api.auth.guard.require_open", lambda action: None),
    ),
    Sabotage("the API acts as the system", ("API GET entities/{id}",), setting(f"{A}.api.auth.acting", system_instead)),
    Sabotage(
        "every post reaches everything",
        ("GET entity", "GET case"),
        setting(f"{A}.people.reach.reach_of", lambda post, user=None: EVERYWHERE),
    ),
    Sabotage(
        "zones are not told to the database",
        ("GET entity",),
        setting(
            f"{A}.people.acting._settings", lambda reach: (",".join(reach.towns), "", "*", ",".join(reach.own), "")
        ),
    ),
    Sabotage(
        "whoever is named by anything may",
        ("POST case_move handle",),
        setting(f"{A}.people.guard.names_given", lambda *args: True),
    ),
    Sabotage(
        "masks are off",
        ("GET entity", "API GET entities/{id}"),
        setting(f"{A}.registry.queries.shown", lambda value, **_: Shown(value, False)),
    ),
    Sabotage(
        "search shows cases to all",
        ("GET search",),
        setting(f"{A}.portal.views.search.guard", SimpleNamespace(may_open=lambda action: True)),
    ),
    Sabotage(
        "the map shows cases to all",
        ("GET map_side",),
        setting(f"{A}.portal.views.map.guard", SimpleNamespace(may_open=lambda action: True)),
    ),
    Sabotage("a role holds more than its job", ("GET cases csv",), role_with("leader", more="list.export")),
    Sabotage(
        "a role holds less than its job",
        ("POST warning_move publish",),
        role_with("duty_chief", less="warning.publish"),
    ),
    Sabotage(
        "an id from elsewhere is told to exist", ("GET case",), setting(f"{A}.portal.views.cases.not_found", forbidden)
    ),
    Sabotage(
        "cases without row security",
        ("GET case",),
        sql=("ALTER TABLE cases_case DISABLE ROW LEVEL SECURITY",),
        mends=("ALTER TABLE cases_case ENABLE ROW LEVEL SECURITY",),
    ),
    Sabotage(
        "a town reads every thing",
        ("GET entity",),
        sql=("CREATE POLICY wide ON registry_entity FOR SELECT TO zhiwan_area USING (true)",),
        mends=("DROP POLICY wide ON registry_entity",),
    ),
    Sabotage(
        "a village and a firm read every alarm",
        ("GET alarm",),
        sql=(
            "CREATE POLICY wide ON watch_alarm FOR SELECT TO zhiwan_scoped USING (true)",
            "CREATE POLICY wide ON registry_entity FOR SELECT TO zhiwan_scoped USING (true)",
        ),
        mends=("DROP POLICY wide ON watch_alarm", "DROP POLICY wide ON registry_entity"),
    ),
    Sabotage(
        "a department reads the cases of every line",
        ("GET case",),
        sql=("CREATE POLICY wide ON cases_case FOR SELECT TO zhiwan_line USING (true)",),
        mends=("DROP POLICY wide ON cases_case",),
    ),
    Sabotage(
        "residents read drafts",
        ("GET warning",),
        breaks=lambda patch: patch.setattr(sys.modules[f"{A}.watch.queries.warnings"], "is_public", lambda: False),
        sql=("CREATE POLICY wide ON watch_warning FOR SELECT TO zhiwan_scoped USING (true)",),
        mends=("DROP POLICY wide ON watch_warning",),
    ),
)


def noticed(world: Any, line: str) -> bool:  # noqa: F811
    """Whether the line fails: by its word, or because the view broke where the guard would have stopped before."""
    try:
        return bool(mismatches(world, rows()[line]))
    except ObjectDoesNotExist:
        return True


@pytest.mark.mission("E3")
@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda one: one.what)
def test_the_matrix_notices(sabotage: Sabotage, world: Any, migrated: Any) -> None:  # noqa: F811
    with psycopg.connect(migrated.owner, autocommit=True) as owner, Patch.context() as patch:
        for statement in sabotage.sql:
            owner.execute(statement)
        try:
            sabotage.breaks(patch)
            silent = [line for line in sabotage.lines if not noticed(world, line)]
        finally:
            for statement in sabotage.mends:
                owner.execute(statement)
    assert silent == [], "broken, and nobody noticed"


def test_there_are_at_least_twenty_and_none_twice() -> None:
    assert len({one.what for one in SABOTAGES}) == len(SABOTAGES) >= 20


def test_without_any_sabotage_the_same_lines_hold(world: Any) -> None:  # noqa: F811
    """What the sabotages are noticed on is otherwise right: they, and nothing else, made it fail."""
    for line in {line for one in SABOTAGES for line in one.lines}:
        assert mismatches(world, rows()[line]) == []


def test_the_guard_is_the_real_one_again() -> None:
    """The sabotages above undo themselves."""
    assert guard.require.__module__ == "zhiwan.city.people.guard"
