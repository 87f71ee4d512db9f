"""Writes of people (and of jobs) on what is watched. All keyword-only; `at` defaults to now.

alarms.py      acknowledge_alarm(alarm_id)
set_aside.py   fix_set_aside(set_aside_id, value=None, property=None, unit=None, observed_at=None, note="")
               drop_set_aside(set_aside_id, note)
warnings.py    draft_warning(kind, level, area, title: Text | None, text: Text | None, alarm_id=None) -> Warning
               edit_warning(warning_id, level=None, title=None, text=None)
               review_warning(warning_id, note="")      sign_warning(warning_id)      publish_warning(warning_id)
               change_warning(warning_id, level, text=None) -> Warning     a new draft that replaces a published one
               lift_warning(warning_id, note="")        reject_warning(warning_id, note)
               receive_warning(warning_id)              the acting post confirms it (签收)
outside.py     record_outside_warning(kind, level, area, message_id, issued_at, issuer=None, text=None) -> Warning
proposals.py   propose_from_alarms(alarm_ids)           jobs only

What the platform writes from the stream is not here but in watch/pipeline.py.
"""

from zhiwan.city.watch.actions.alarms import acknowledge_alarm
from zhiwan.city.watch.actions.outside import record_outside_warning
from zhiwan.city.watch.actions.proposals import propose_from_alarms
from zhiwan.city.watch.actions.set_aside import drop_set_aside, fix_set_aside
from zhiwan.city.watch.actions.warnings import (
    change_warning,
    draft_warning,
    edit_warning,
    lift_warning,
    publish_warning,
    receive_warning,
    reject_warning,
    review_warning,
    sign_warning,
)

__all__ = [
    "acknowledge_alarm",
    "change_warning",
    "draft_warning",
    "drop_set_aside",
    "edit_warning",
    "fix_set_aside",
    "lift_warning",
    "propose_from_alarms",
    "publish_warning",
    "receive_warning",
    "record_outside_warning",
    "reject_warning",
    "review_warning",
    "sign_warning",
]
