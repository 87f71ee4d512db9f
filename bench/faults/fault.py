"""What a fault is: something done to a stage, and what must be told while it lasts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.faults.eyes import Seen
from bench.faults.stage import Stage


class NotRun(Exception):
    """This machine does not allow the fault; the row says why."""


@dataclass(frozen=True)
class Told:
    """Words that must be seen while the fault lasts. `where`: healthz, page (运行状态), lamp (of an open page), up
    (lines of `zhiwan up`), api (answers of the HTTP door)."""

    where: str
    words: str  # a regular expression over "part state: says"

    def seen_in(self, seen: Sequence[Seen]) -> float | None:
        """The moment of its first sight."""
        return next((one.at for one in seen if one.where == self.where and re.search(self.words, one.words())), None)


@dataclass(frozen=True)
class Options:
    """How long the long ones last."""

    pause: float = 75.0
    full: bool = False


@dataclass(frozen=True)
class Fault:
    """`do` returns when the fault is over, with a sentence on what was done; the stage's gauges send meanwhile."""

    name: str
    title: str
    do: Callable[[Stage, Options], str]
    tells: Sequence[Told] = ()
    #: Codes of refusals that the product must have counted more of than before.
    counts: Sequence[str] = ()
    own_stage: str = ""  # a stage of its own: "clock"
    settle: float = 60.0
    more: dict[str, str] = field(default_factory=dict)
