"""The HTTP door: POST /api/v1/observations. 200 only after the stream has stored every accepted row.

A request that fails half-way (429, 503) may be sent again as a whole: a reading stored twice is recognised as the same.
"""

# No postponed annotations here: ninja reads the real types through as_caller's wrapper.
from typing import Any

import orjson
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from ninja import Router

from zhiwan.city.api import schemas
from zhiwan.city.api.auth import as_caller
from zhiwan.city.packs_loaded import packs, the_bus
from zhiwan.city.people import guard
from zhiwan.city.registry import clock
from zhiwan.city.registry.models import Device
from zhiwan.kernel.bus.messages import MessageTooLarge
from zhiwan.kernel.sense import DeviceInfo, Intake, RefusedRow, decode_http_rows
from zhiwan.kernel.sense.http_rows import MOST_BODY

router = Router()
SUBJECT = "intake.http"
ROW = {
    "type": "object",
    "required": ["device", "values"],
    "properties": {
        "device": {"type": "string"},
        "at": {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]},
        "values": {"type": "object", "additionalProperties": True},
    },
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"oneOf": [{"type": "array", "items": ROW}, ROW]}},
            "application/x-ndjson": {"schema": {"type": "string", "description": "one row a line"}},
        },
    }
}


@router.post("/observations", response=schemas.ObservationsOut, summary="Send readings", openapi_extra=BODY)
@as_caller("observation.send")
def observations(request: HttpRequest) -> Any:
    guard.require("observation.send")
    body = _body(request)
    now = clock.now()
    intake = Intake(packs(), _devices_named_in(body))
    found = decode_http_rows(body, request.content_type or "", intake=intake, received_at=now)
    for message in found.messages:
        the_bus().publish(SUBJECT, message)
    return {
        "rows": found.rows,
        "accepted": found.accepted_rows,
        "values": found.accepted_values,
        "refused": [_told(one) for one in found.refused],
    }


def _body(request: HttpRequest) -> bytes:
    """The body, unless it is larger than a door takes: then nothing of it is read."""
    told = int(request.headers.get("content-length") or 0)
    if told > MOST_BODY:
        raise MessageTooLarge(size=told, limit=MOST_BODY)
    try:
        return request.body
    except RequestDataTooBig:
        raise MessageTooLarge(size="too many", limit=MOST_BODY) from None


def _devices_named_in(body: bytes) -> dict[str, DeviceInfo]:
    """The devices of the post's towns that the body names, by one query. A body nobody can read names none."""
    names = {
        row["device"] for row in _rows_loosely(body) if isinstance(row, dict) and isinstance(row.get("device"), str)
    }
    found = Device.objects.filter(id__in=names, enabled=True).values_list("id", "entity_id", "entity__type")
    return {id: DeviceInfo(entity, type_) for id, entity, type_ in found}


def _rows_loosely(body: bytes) -> list[Any]:
    """Rows as far as they can be read; decode_http_rows tells what is wrong with the others."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return [row for line in body.splitlines() if (row := _line(line)) is not None]
    return content if isinstance(content, list) else [content]


def _line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _told(one: RefusedRow) -> dict[str, Any]:
    return {
        "row": one.index,
        "device": one.device,
        "property": one.property,
        "code": one.code,
        "reason": {"zh": one.reason_zh, "en": one.reason_en},
        "hint": {"zh": one.hint_zh, "en": one.hint_en},
        "row_taken": one.row_taken,
    }
