"""Every address says what is done there: a view carries the action it opens, and one that carries none is refused.

`declares("alarm.read")` marks a view; where a part of the address decides, `declares({"take": "case.take"}, "step")`.
Decorators that wrap a view pass the mark on (functools.wraps). The gate of the portal (portal/gate.py) and of the API
(api/auth.py) read it; a test reads it of every route.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

MARK = "zhiwan_action"
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Opened:
    """The action of a route, or one for each value of a part of its address."""

    actions: Mapping[str, str]
    by: str = ""

    def action(self, parts: Mapping[str, Any]) -> str | None:
        """The action of this request; None where the address names a step that is not there."""
        return self.actions.get(str(parts.get(self.by, "")) if self.by else "")


def opened(action: str | Mapping[str, str], by: str = "") -> Opened:
    """A declaration as it is kept."""
    return Opened(action, by) if not isinstance(action, str) else Opened({"": action})


def declares(action: str | Mapping[str, str], by: str = "") -> Callable[[View], View]:
    """Mark a view with the action that it opens."""

    def mark(view: View) -> View:
        setattr(view, MARK, opened(action, by))
        return view

    return mark


def action_of(view: Any) -> Opened | None:
    """What a view declares."""
    found = getattr(view, MARK, None)
    return found if isinstance(found, Opened) else None
