"""Whoever asks the guard writes, and what is written is recorded: every action leads to audit.record."""

from __future__ import annotations

import ast
from pathlib import Path

CITY = Path(__file__).resolve().parents[2] / "src" / "zhiwan" / "city"
#: Where the guard is asked only to show or hide something, or where the called action records.
READERS = {"portal", "api", "queries"}
#: Actions that leave no record of their own, each with the reason.
WITHOUT = {
    "compute_zone_members": "derived from entities and zones, whose changes are recorded",
    "count_refusal": "a door that is hammered must not fill the audit",
    "ask_retirement": "the job that does it records it, as the person who asked",
    "begin_nightly_check": "nobody asked for it and it changes nothing; its result is kept",
    "sign_heads": "a record every five minutes would move the heads it signs",
    "record_outside_warning": "the steps of warnings record it, in the module beside",
    "ask": "asks a family member's phone; the grant is recorded when it is confirmed",
    "send_code": "a code to a phone: throttled and counted there, and its use is recorded",
    "begin": "shows a secret for a second factor; binding it is recorded",
    "make_months": "makes room for records; nobody's data changes",
}


def calls(function: ast.AST) -> set[str]:
    """The names that a function calls: `f()` and `module.f()`."""
    return {
        node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    }


def leads(name: str, wanted: str, bodies: dict[str, set[str]], seen: frozenset[str] = frozenset()) -> bool:
    """Whether a function calls `wanted`, itself or through others of its module."""
    inside = bodies[name]
    further = inside & bodies.keys() - seen - {name}
    return wanted in inside or any(leads(other, wanted, bodies, seen | {name}) for other in further)


def actions() -> list[tuple[str, str, bool]]:
    """(file, function, whether it records) of each public function that leads to the guard, within its module."""
    found = []
    for path in sorted(CITY.rglob("*.py")):
        parts = set(path.relative_to(CITY).with_suffix("").parts)
        if parts & (READERS | {"tests", "migrations", "guard"}):
            continue
        bodies = {
            node.name: calls(node)
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        for name in bodies:
            if not name.startswith("_") and leads(name, "require", bodies):
                found.append((path.name, name, leads(name, "record", bodies)))
    return found


def test_every_action_is_recorded() -> None:
    seen = actions()
    assert len(seen) > 30, "the look into the code found too few actions to be believed"
    assert not [(file, name) for file, name, recorded in seen if not recorded and name not in WITHOUT]


def test_no_exception_is_kept_that_is_none_any_more() -> None:
    silent = {name for _file, name, recorded in actions() if not recorded}
    assert not WITHOUT.keys() - silent
