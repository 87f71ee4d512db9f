"""What follows an alarm: jobs, put into the queue by the transaction that wrote the alarm.

Why jobs and not rows written by the pipeline itself: cases and plans lie above watch, a mistake in one pack's case
kind must not stop the stream, and a job repeats until it is done. Why in the same transaction: a crash loses neither
or both. Each job finds out by itself what is missing, so that it may run twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from procrastinate.contrib.django import app

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people.acting import current_space
from zhiwan.city.watch.alarm_life import Applied

OPEN_CASES = "zhiwan.cases.open_from_alarms"
PROPOSE_WARNINGS = "zhiwan.watch.propose_warnings"
FOLLOW_WARNINGS = "zhiwan.plans.follow_warnings"
QUEUE = "city"
#: Events after which an alarm may call for more than before.
GROWTH = ("opened", "raised", "active", "corrected")


def follow_alarms(applied: Sequence[Applied]) -> None:
    """Ask for the cases and proposals that these alarms' rules declare: one job of each kind per batch."""
    # An alarm that joins another's notice raises nothing of its own: a storm makes one case, not a hundred.
    grown = [one for one in applied if one.kind in GROWTH and not one.joins and one.state in ("open", "latched")]
    if not grown:
        return
    declared = {f"{pack.id}.{rule.id}": rule for pack, rule in packs().rules}
    raising = _ids(one for one in grown if (rule := declared.get(one.rule)) and rule.raises)
    proposing = _ids(one for one in grown if (rule := declared.get(one.rule)) and rule.proposes)
    if raising:
        defer(OPEN_CASES, alarm_ids=raising)
    if proposing:
        defer(PROPOSE_WARNINGS, alarm_ids=proposing)


def follow_warnings() -> None:
    """Ask the plans to follow the warnings in force."""
    defer(FOLLOW_WARNINGS)


def defer(task: str, **arguments: Any) -> None:
    """Put a job into the queue in the current transaction; it will act in this space.

    Tasks are known by name: watch need not know who answers.
    """
    app.configure_task(task, queue=QUEUE).defer(**arguments, space=current_space())


def _ids(found: Iterable[Applied]) -> list[str]:
    return sorted({one.alarm_id for one in found})
