"""What can be done at all. Each action is declared once, with its words and with what it asks of who does it.

Apps declare theirs in `guard.yml` beside their code; pages, API operations and actions name them by id. A name that is
declared nowhere is refused at run time, and a test finds it before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from zhiwan.kernel.facts.declared import Declared, Text
from zhiwan.kernel.facts.errors import PackBroken

ActionId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]
#: read: sees rows · write: changes them · reveal: sees a masked field whole · export: takes rows away ·
#: way: comes in, goes out, chooses post, language and the like
Sort = Literal["read", "write", "reveal", "export", "way"]


class ActionTwice(PackBroken):
    """Two declarations of one action."""

    code = "GUARD-010"
    fact = 'the action "{id}" is declared twice'
    detail = "An action has one meaning, in one guard.yml."
    hint = "Remove one, or give it another name."


class Action(Declared):
    id: ActionId
    title: Text
    sort: Sort
    #: Who may ask at all: anyone, any signed-in account, or only a post (the rule).
    to: Literal["anyone", "account", "post"] = "post"
    #: A process of the platform may do it by itself.
    system: bool = False
    #: A pack or a plan may give it for one subject (the role that handles a kind of case, the role that signs).
    given: bool = False
    #: What a post must hold to be given it.
    needs: ActionId | None = None
    #: It is written into the audit even where nothing changes.
    logged: bool = False
    #: Who does it must say why.
    reason: bool = False
    second_factor: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Action:
        if self.given != (self.needs is not None):
            raise ValueError("`given` and `needs` come together: what must a post hold to be given this?")
        if self.sort in ("reveal", "export") and not self.logged:
            raise ValueError(f"a {self.sort} is logged")
        if self.sort == "reveal" and not self.reason:
            raise ValueError("a reveal asks for a reason")
        if self.to != "post" and self.sort not in ("way", "read"):
            raise ValueError(f"a {self.sort} is done by a post")
        return self


class ActionBook(Mapping[str, Action]):
    """All declared actions by id."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._known: dict[str, Action] = {}
        for one in actions:
            if one.id in self._known:
                raise ActionTwice(id=one.id)
            self._known[one.id] = one

    def __getitem__(self, id: str) -> Action:
        return self._known[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
