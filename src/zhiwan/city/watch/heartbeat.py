"""Signs of life: a process writes one every few seconds, /healthz and the health page read them.

beat(process, at, body)          body: JSON of what it says of itself
beats() -> dict[process, Beat]
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from zhiwan.city.people.acting import acting_system
from zhiwan.city.watch.models import Heartbeat

#: A process that has not told for so long is taken for dead.
SILENT_AFTER = timedelta(seconds=20)


@dataclass(frozen=True)
class Beat:
    """When a process last told, and what."""

    at: datetime
    body: dict[str, Any]

    def alive(self, now: datetime) -> bool:
        """Whether it told lately. A sign from ahead of us says nothing: somebody's clock was changed."""
        return not self.ahead(now) and now - self.at < SILENT_AFTER

    def ahead(self, now: datetime) -> bool:
        """Whether the sign lies further ahead of us than clocks of one house may differ."""
        return self.at - now > SILENT_AFTER


def beat(*, process: str, at: datetime, body: dict[str, Any] | None = None) -> None:
    """Tell that `process` lives. Called by the process itself, outside any other transaction."""
    with acting_system("worker"):
        Heartbeat.objects.update_or_create(process=process, defaults={"at": at, "body": body or {}})


def beats() -> dict[str, Beat]:
    """The last sign of every process that ever told. The caller acts as someone who may read it."""
    return {one.process: Beat(one.at, one.body) for one in Heartbeat.objects.all()}
