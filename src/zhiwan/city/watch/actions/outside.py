"""Warnings of another authority (a weather office, the city): recorded here, in force at once, signed by nobody here.

A person records one through a post that may publish: the message is its issuer's, that it reached us is the post's
word. The issuer's next message of the same kind and area replaces the one before; the same message twice is refused.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from zhiwan.city.people import guard
from zhiwan.city.registry import clock
from zhiwan.city.registry.actions import town_or_district
from zhiwan.city.registry.models import Area
from zhiwan.city.watch.actions.warnings import (
    WarningUnknown,
    _ask_receipts,
    _step,
    default_title,
    kind_of,
    level_of,
)
from zhiwan.city.watch.follow_up import follow_warnings
from zhiwan.city.watch.models import Warning, WarningState
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.packs.models import Text


class NotFromOutside(InputRefused):
    """The kind is issued here."""

    code = "WATCH-033"
    fact = "a warning of the kind {kind} does not come from outside"
    detail = "Its pack names no authority elsewhere that issues it (`from_outside` in warnings.yml)."
    hint = "Draft it here instead."


class MessageRefused(InputRefused):
    """What was recorded of the message cannot be."""

    code = "WATCH-034"
    fact = "the message {message} cannot be recorded"
    detail = "{problem}"
    hint = "Compare the number and the time with the message as it came."


@transaction.atomic
def record_outside_warning(
    *,
    kind: str,
    level: str,
    area: str,
    message_id: str,
    issued_at: datetime,
    issuer: Text | None = None,
    text: Text | None = None,
    at: datetime | None = None,
) -> Warning:
    """Record what another authority issued for an area (six digits: the whole district); in force from now."""
    now = at or clock.now()
    declared = kind_of(kind)
    town = town_or_district(area)
    actor = guard.require("warning.publish", town=town, roles=[declared.signed_by])
    if declared.from_outside is None:
        raise NotFromOutside(kind=kind)
    if not Area.objects.filter(code=area).exists():
        raise WarningUnknown(thing="area", id=area)
    chosen = level_of(kind, level)
    message = message_id.strip()
    _refuse_wrong_message(kind, message, issued_at, now)
    before = (
        Warning.objects.select_for_update(of=("self",))
        .filter(kind=kind, area=area, state=WarningState.PUBLISHED)
        .exclude(issuer_zh="")
        .order_by("-published_at", "-id")
        .first()
    )
    title, said, by = default_title(declared, chosen), text or declared.instructions, issuer or declared.from_outside
    warning = Warning.objects.create(
        kind=kind,
        level=level,
        rank=chosen.rank,
        tone=chosen.tone,
        area=area,
        town=town,
        state=WarningState.PUBLISHED,
        title_zh=title.zh[:200],
        title_en=title.en[:240],
        text_zh=said.zh,
        text_en=said.en,
        issuer_zh=by.zh[:120],
        issuer_en=by.en[:160],
        message_id=message,
        issued_at=issued_at,
        replaces=before,
        drafted_by=actor.post,
        created_at=now,
        published_at=now,
    )
    _ask_receipts(warning, now)
    _step(warning, "record", actor, now, message)
    if before is not None:
        before.state, before.ended_at = WarningState.CHANGED, now
        before.save()
        _step(before, "changed", actor, now, f"warning:{warning.id}")
    follow_warnings()
    return warning


def _refuse_wrong_message(kind: str, message: str, issued_at: datetime, now: datetime) -> None:
    if not message or len(message) > 120:
        problem, problem_zh = "It needs the number its issuer gave it.", "需要发布单位给出的文号或编号"
    elif issued_at > now:
        problem, problem_zh = "It was issued later than now.", "发布时间晚于现在"
    elif Warning.objects.filter(kind=kind, message_id=message).exists():
        problem, problem_zh = "It was recorded already.", "这条预警已经登记过"
    else:
        return
    raise MessageRefused(message=message[:120] or "–", problem=problem, problem_zh=problem_zh)
