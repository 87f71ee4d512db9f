"""One round of the night. What fails is told and does not hold the rest up; the next night begins again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from zhiwan.city.keeping.actions import erase_due, note_unwiped, note_wiped
from zhiwan.city.keeping.models import Erasure
from zhiwan.city.keeping.plan import Night, read_plan, write_night
from zhiwan.city.people.acting import acting_system
from zhiwan.kernel.facts.errors import CityError
from zhiwan.run.backups.making import StreamEnds
from zhiwan.run.backups.registered import back_up, let_go
from zhiwan.run.nightly.wiping import wipe

log = logging.getLogger(__name__)
Say = Callable[[str], None]


def run_round(data: Path, *, say: Say, stream_ends: StreamEnds | None = None, at: datetime | None = None) -> list[str]:
    """Delete what is due, wipe its files, back up, let old backups go. What did not work, in words.

    In this order: the backup of tonight must not hold any longer what is deleted tonight.
    """
    now = at or timezone.now()
    night = Night(began_at=timezone.now())
    write_night(data, night)
    problems: list[str] = []
    steps: tuple[Callable[[], list[str]], ...] = (
        lambda: _delete_due(now, say),
        lambda: _wipe(data, say),
        lambda: _back_up(data, say, stream_ends),
        lambda: let_go(now, say),
    )
    for step in steps:
        try:
            problems += step()
        except CityError as problem:
            problems.append(str(problem))
        except Exception as problem:
            log.exception("a step of the night failed")
            problems.append(f"{type(problem).__name__}: {problem}"[:300])
    write_night(data, Night(began_at=night.began_at, ended_at=timezone.now(), problems=problems))
    return problems


def _delete_due(now: datetime, say: Say) -> list[str]:
    with acting_system("cli"):
        for receipt in erase_due(at=now):
            say(f"{receipt.field} deleted of {receipt.things} things (receipt {receipt.pk})")
    return []


def _wipe(data: Path, say: Say) -> list[str]:
    """Of tonight's receipts, and of those that an earlier night could not finish."""
    with acting_system("cli"):
        ids = list(Erasure.objects.filter(wiped_at=None).values_list("pk", flat=True))
    if not ids:
        return []
    try:
        wipe(data)
    except CityError as problem:
        with acting_system("cli"):
            note_unwiped(ids=ids, problem=str(problem.as_dict()["detail"] or problem))
        return [str(problem)]
    with acting_system("cli"):
        note_wiped(ids=ids)
    say(f"the files of the database were written anew for {len(ids)} receipts")
    return []


def _back_up(data: Path, say: Say, stream_ends: StreamEnds | None) -> list[str]:
    plan = read_plan(data)
    if plan is not None:
        back_up(data, Path(plan.to), Path(plan.keys_to), keep_days=plan.keep_days, say=say, stream_ends=stream_ends)
    return []
