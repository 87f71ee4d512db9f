"""待处理数据: a refused value is corrected and sent again by the door of all readings, or dropped with a reason."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from django.db import transaction

from zhiwan.city.packs_loaded import packs, the_bus
from zhiwan.city.people import audit, guard
from zhiwan.city.registry import clock
from zhiwan.city.registry.models import Device
from zhiwan.city.watch import hints
from zhiwan.city.watch.models import SetAside
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.sense import DeviceInfo, Intake, decode_http_rows

#: Where corrected readings enter the stream; the subject tells them from what integrators send.
SUBJECT = "intake.corrected"


class SetAsideUnknown(InputRefused):
    """No refused value of this id that the post may see."""

    code = "WATCH-020"
    fact = "there is no refused value {id}"
    hint = "Reload the list."


class NotOpen(InputRefused):
    """It was fixed or dropped before."""

    code = "WATCH-021"
    fact = "the refused value {id} is settled already"
    detail = "It is {state}."
    hint = "Reload the list."


class CorrectionRefused(InputRefused):
    """A correction that would be refused again."""

    code = "WATCH-022"
    fact = "this correction cannot be sent"
    detail = "{problem}"
    hint = "{advice}"


@transaction.atomic
def fix_set_aside(
    *,
    set_aside_id: int,
    value: float,
    property: str | None = None,
    unit: str | None = None,
    observed_at: datetime | None = None,
    note: str = "",
    at: datetime | None = None,
) -> SetAside:
    """Send the corrected reading again (to the stream, with its acknowledgement) and settle the row.

    The stream comes first: were the commit to fail after it, the reading is kept and the row is still open; sending it
    again is recognised as the same reading.
    """
    now = at or clock.now()
    row = _open_row(set_aside_id)
    actor = guard.require("set_aside.fix", town=row.town)
    sent: dict[str, Any] = {
        "device": row.device,
        "at": (observed_at or row.observed_at or row.received_at).isoformat(),
        "values": {property or row.property: value if unit is None else {"value": value, "unit": unit}},
    }
    seq = the_bus().publish(SUBJECT, _checked(sent, now))
    row.state, row.fixed, row.note = "fixed", sent | {"seq": seq}, note
    row.fixed_by, row.fixed_at = actor.post, now
    row.save(update_fields=["state", "fixed", "fixed_by", "fixed_at", "note"])
    audit.record("set_aside.fix", f"set_aside:{row.id}", at=now, before={"raw": row.raw, "code": row.code}, after=sent)
    hints.announce_later("set_aside", town=row.town, id=row.id)
    return row


@transaction.atomic
def drop_set_aside(*, set_aside_id: int, note: str, at: datetime | None = None) -> SetAside:
    """Settle a refused value without sending anything; the reason is kept."""
    now = at or clock.now()
    row = _open_row(set_aside_id)
    actor = guard.require("set_aside.drop", town=row.town)
    if not note.strip():
        words = {"problem_zh": "缺少丢弃原因", "advice_zh": "请用几个字说明为什么丢弃"}
        raise CorrectionRefused(problem="A reason is missing.", advice="Say in a few words why it is dropped.", **words)
    row.state, row.note, row.fixed_by, row.fixed_at = "dropped", note.strip(), actor.post, now
    row.save(update_fields=["state", "note", "fixed_by", "fixed_at"])
    audit.record("set_aside.drop", f"set_aside:{row.id}", at=now, before={"raw": row.raw}, after={"note": row.note})
    hints.announce_later("set_aside", town=row.town, id=row.id)
    return row


def _open_row(id: int) -> SetAside:
    row = SetAside.objects.select_for_update(of=("self",)).filter(id=id).first()
    if row is None:
        raise SetAsideUnknown(id=id)
    if row.state != "open":
        raise NotOpen(id=id, state=row.state)
    return row


def _checked(reading: dict[str, Any], now: datetime) -> bytes:
    """The reading as the stream takes it. The door's own check refuses here what it would refuse again there."""
    devices = {
        id: DeviceInfo(entity, type_)
        for id, entity, type_ in Device.objects.filter(id=reading["device"]).values_list(
            "id", "entity_id", "entity__type"
        )
    }
    found = decode_http_rows(
        orjson.dumps([reading]), "application/json", intake=Intake(packs(), devices), received_at=now
    )
    if found.refused:
        (refused, *_) = found.refused
        words = {"problem_zh": refused.reason_zh, "advice_zh": refused.hint_zh}  # for the page in Chinese
        raise CorrectionRefused(problem=refused.reason_en, advice=refused.hint_en, **words)
    return found.messages[0]
