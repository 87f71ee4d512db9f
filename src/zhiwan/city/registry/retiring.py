"""Things go out of use, come back, and let personal fields go when nothing needs them any longer.

retire(entity_id, reason)                         out of lists and of judging; its devices are revoked
bring_back(entity_id)                             it is in use again; its devices are restored one by one
out_of_use(type, by) -> Entities                  those that went out of use on a day or before
erase_field(type, field, out_of_use_by) -> ids    the field goes, the thing stays
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F, Func, JSONField, QuerySet, TextField, Value
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.registry import devices
from zhiwan.city.registry.actions import BATCH, EntityRefused
from zhiwan.city.registry.models import Device, Entity

REASON = 120


@transaction.atomic
def retire(*, entity_id: str, reason: str, at: datetime | None = None) -> None:
    """Out of use from now on. What it reported, its alarms and cases are kept."""
    thing = _thing(entity_id, "entity.retire")
    now, why = at or timezone.now(), reason.strip()
    if not 2 <= len(why) <= REASON:
        raise EntityRefused(id=entity_id, problems=f"A reason of 2 to {REASON} letters is needed.")
    if not thing.active:
        raise EntityRefused(id=entity_id, problems="It is out of use already.")
    thing.active, thing.inactive_since = False, now
    thing.save(update_fields=["active", "inactive_since"])
    silenced = list(Device.objects.filter(entity=thing, revoked_at=None).values_list("id", flat=True))
    for device in silenced:
        devices.revoke(device_id=device, reason=why, at=now)
    audit.record("entity.retire", f"entity:{entity_id}", at=now, after={"reason": why, "devices": silenced[:50]})


@transaction.atomic
def bring_back(*, entity_id: str, at: datetime | None = None) -> None:
    """In use again. What was deleted of it meanwhile has to be registered anew."""
    thing = _thing(entity_id, "entity.return")
    if thing.active:
        raise EntityRefused(id=entity_id, problems="It is in use.")
    before = {"inactive_since": thing.inactive_since.isoformat() if thing.inactive_since else None}
    thing.active, thing.inactive_since = True, None
    thing.save(update_fields=["active", "inactive_since"])
    audit.record("entity.return", f"entity:{entity_id}", at=at or timezone.now(), before=before)


def _thing(id: str, action: str) -> Entity:
    """The thing, locked, if who acts may do this with it."""
    found = Entity.objects.select_for_update().filter(id=id).first()
    guard.require(action, on=found)
    if found is None:
        raise EntityRefused(id=id, problems="It is not registered.")
    return found


def out_of_use(type: str, by: date | None) -> QuerySet[Entity]:
    """Things of a type that went out of use on this day of the place or before; None: all of them, in use or not."""
    found = Entity.objects.filter(type=type)
    if by is None:
        return found
    end = datetime.combine(by + timedelta(days=1), time(), ZoneInfo(settings.TIME_ZONE))
    return found.filter(active=False, inactive_since__lt=end)


def erase_field(*, type: str, field: str, out_of_use_by: date | None) -> list[str]:
    """Delete a field of the things that out_of_use() names; the ids of those that had it.

    The caller asks the guard and keeps the receipt (city/keeping).
    """
    having = out_of_use(type, out_of_use_by).filter(fields__has_key=field).select_for_update()
    ids = sorted(having.values_list("id", flat=True))
    for at in range(0, len(ids), BATCH):
        Entity.objects.filter(id__in=ids[at : at + BATCH]).update(
            fields=_Without(F("fields"), Value(field, TextField()))
        )
    return ids


class _Without(Func):
    """A JSON object without one of its keys."""

    template = "%(expressions)s"
    arg_joiner = " - "
    output_field = JSONField()
