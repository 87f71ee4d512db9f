"""From when on the stream of a space is judged by which signed changes: written by its worker, read by 复核 and pages.

A change is signed at one moment and taken up seconds later; what was judged in between was judged by the former text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from zhiwan.city.people.acting import acting_system
from zhiwan.city.watch.models import TakenUp


@dataclass(frozen=True)
class Since:
    """From `at` (time of the space) on, judged with the changes up to `serial`."""

    at: datetime
    serial: int


def note_taken_up(*, serial: int, at: datetime) -> None:
    """The worker judges with these changes from now on; told again nothing is written."""
    with acting_system("worker"):
        if _last() != serial:
            TakenUp.objects.create(serial=serial, at=at)


def _last() -> int:
    return TakenUp.objects.order_by("-id").values_list("serial", flat=True).first() or 0


def taken_up(until: datetime) -> list[Since]:
    """All of this space, in their order, up to a moment. Before the first: no change."""
    rows = TakenUp.objects.filter(at__lte=until).order_by("id").values_list("at", "serial")
    return [Since(at, serial) for at, serial in rows]


def judging_since(serial: int) -> datetime | None:
    """When the worker took up a change; None: not yet."""
    return TakenUp.objects.filter(serial__gte=serial).order_by("id").values_list("at", flat=True).first()
