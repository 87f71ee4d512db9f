"""What a gateway refused before it reached the stream: counted per hour, and kept for people to see.

write_door_book(door=, counts=, refused=, at=)       counts: frames or values by outcome; refused: rows of 待处理数据
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import F

from zhiwan.city.people.acting import acting_system, current_space
from zhiwan.city.registry.models import Device
from zhiwan.city.watch import hints
from zhiwan.city.watch.models import DoorCounter
from zhiwan.city.watch.models import SetAside as SetAsideRow
from zhiwan.kernel.sense import SetAside


def write_door_book(*, door: str, counts: Mapping[str, int], refused: Sequence[SetAside], at: datetime) -> None:
    """All of it or nothing, so that a caller who fails may write the same again."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    with acting_system("door"):
        for code, count in sorted(counts.items()):
            row, _ = DoorCounter.objects.get_or_create(hour=hour, door=door, code=code, space=current_space())
            DoorCounter.objects.filter(pk=row.pk).update(count=F("count") + count)
        known = {
            id: (entity, town)
            for id, entity, town in Device.objects.filter(id__in={one.device for one in refused}).values_list(
                "id", "entity_id", "town"
            )
        }
        SetAsideRow.objects.bulk_create(_row(one, door, at, *known.get(one.device, ("", ""))) for one in refused)
        hint = {"kind": "set_aside", "town": "", "space": current_space(), "n": len(refused)}
    if refused:
        hints.announce([hint])


def _row(one: SetAside, door: str, at: datetime, entity: str, town: str) -> SetAsideRow:
    return SetAsideRow(
        seq=one.seq,
        stream=door,
        device=_plain(one.device),
        entity=entity,
        town=town,
        space=current_space(),
        property=_plain(one.property),
        raw=_plain(one.raw),
        code=one.code,
        reason_zh=_plain(one.reason_zh),
        reason_en=_plain(one.reason_en),
        hint_zh=one.hint_zh,
        hint_en=one.hint_en,
        observed_at=one.at,
        received_at=at,
    )


def _plain(text: str) -> str:
    """PostgreSQL keeps no NUL in a text; a device may send one."""
    return text.replace("\x00", "␀")
