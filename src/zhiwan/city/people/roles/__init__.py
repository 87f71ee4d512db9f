"""The shipped roles and the declared actions, read once: `role_book()`.

Roles: *.yml of this folder. Actions: guard.yml of every folder of zhiwan.city, so that an app says what can be done
with it and no central list is kept by hand.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from zhiwan.kernel.guard.actions import Action, ActionBook
from zhiwan.kernel.guard.roles import Role, RoleBook, RolesFile
from zhiwan.kernel.packs.shape import shaped
from zhiwan.kernel.packs.strict_yaml import read_yaml

HERE = Path(__file__).parent
CITY = HERE.parents[1]


@cache
def role_book() -> RoleBook:
    """Everything that is declared. Raises PackBroken (a file is wrong: nothing may start then)."""
    return RoleBook([_roles(path) for path in sorted(HERE.glob("*.yml"))], action_book())


@cache
def action_book() -> ActionBook:
    """All declared actions."""
    return ActionBook(one for path in sorted(CITY.glob("*/guard.yml")) for one in _actions(path))


def role_of(name: str) -> Role | None:
    """A shipped role by id or former name."""
    return role_book().role(name)


def _roles(path: Path) -> RolesFile:
    found: RolesFile = shaped(read_yaml(path, f"roles/{path.name}"), RolesFile)
    return found


def _actions(path: Path) -> list[Action]:
    found: list[Action] = shaped(read_yaml(path, f"{path.parent.name}/{path.name}"), list[Action])
    return found
