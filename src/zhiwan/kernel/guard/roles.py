"""Who may do what: roles, each with the actions it holds, the scopes it may have, and how much it sees of a person.

Declared in YAML (the shipped ones beside city/people). A place adds roles of its own that are *like* a shipped one:
it says 防汛办 is a kind of department handler, never what a department handler may do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from zhiwan.kernel.facts.declared import Declared, Grade, Identifier, Text
from zhiwan.kernel.facts.errors import PackBroken
from zhiwan.kernel.guard.actions import ActionBook, ActionId

#: Where and whose a post of the role may reach (people.py).
ScopeKind = Literal["district", "towns", "zones", "lines", "own", "none"]


class RoleWrong(PackBroken):
    """A role that points at nothing, or is declared twice."""

    code = "GUARD-011"
    fact = 'the role "{id}" cannot be used'
    detail = "{problem}"
    hint = "Mend the file of roles; kernel/guard/roles.py says what may stand there."


class Role(Declared):
    id: Identifier
    title: Text
    job: Text  # what it is there for, in one sentence
    aliases: list[Identifier] = Field(default=[])  # former names that rows may still carry
    sort: Literal["business", "administrator", "machine", "public"]
    scopes: Annotated[list[ScopeKind], Field(min_length=1)]
    holds: list[Identifier] = Field(default=[])  # sets of actions
    may: list[ActionId] = Field(default=[])
    sees: Grade = 2  # fields up to this grade are shown whole
    reveals: Grade = 1  # and up to this one for a reason, one at a time
    second_factor: bool = False
    #: Published warnings ask its posts for a receipt, and packs and plans may give it cases, tasks and warnings.
    on_duty: bool = False
    #: No account may hold another role beside it.
    alone: bool = False
    #: Roles that no account may hold beside it.
    excludes: list[Identifier] = Field(default=[])


class RolesFile(Declared):
    sets: dict[Identifier, list[ActionId]] = Field(default={})
    roles: list[Role] = Field(default=[])


class RoleBook:
    """The shipped roles with their actions worked out."""

    def __init__(self, files: Iterable[RolesFile], actions: ActionBook) -> None:
        self.actions = actions
        sets: dict[str, list[str]] = {}
        self.roles: dict[str, Role] = {}
        self._named: dict[str, Role] = {}
        self._held: dict[str, frozenset[str]] = {}
        files = list(files)
        for file in files:
            for name, members in file.sets.items():
                if name in sets:
                    raise RoleWrong(id=name, problem="The set is declared twice.")
                sets[name] = list(members)
        for role in (role for file in files for role in file.roles):
            for name in (role.id, *role.aliases):
                if name in self._named:
                    raise RoleWrong(id=name, problem="The name is taken by another role.")
                self._named[name] = role
            self.roles[role.id] = role
            self._held[role.id] = _held(role, sets, actions)
        for role in self.roles.values():
            if unknown := set(role.excludes) - set(self.roles):
                raise RoleWrong(id=role.id, problem=f"It excludes roles that are not there: {sorted(unknown)}.")

    def role(self, name: str) -> Role | None:
        """The role of an id or a former name; None where none is shipped."""
        return self._named.get(name)

    def held_by(self, role: Role) -> frozenset[str]:
        """Ids of the actions a role holds."""
        return self._held[role.id]

    def roles_with(self, action: str) -> list[Role]:
        """Every role that holds an action, as declared."""
        return [role for role in self.roles.values() if action in self._held[role.id]]

    def conflict(self, names: Iterable[str]) -> tuple[Role, Role] | None:
        """Two roles of these that no account may hold together; None when all go together.

        Unknown names hold nothing and conflict with roles that stand alone.
        """
        found = [self._named.get(name) for name in sorted(set(names))]
        known = {role.id: role for role in found if role is not None}
        roles = list(known.values())
        for number, one in enumerate(roles):
            for other in roles[number + 1 :]:
                if one.alone or other.alone or other.id in one.excludes or one.id in other.excludes:
                    return one, other
        if None in found and (single := next((role for role in roles if role.alone), None)) is not None:
            return single, single
        return None


def _held(role: Role, sets: dict[str, list[str]], actions: ActionBook) -> frozenset[str]:
    unknown = [name for name in role.holds if name not in sets]
    held = [*role.may, *(action for name in role.holds if name in sets for action in sets[name])]
    undeclared = sorted({action for action in held if action not in actions})
    if unknown or undeclared:
        raise RoleWrong(id=role.id, problem=f"It holds what is declared nowhere: {', '.join(unknown + undeclared)}.")
    return frozenset(held)
