"""`POST /api/v1/observations`: rows `{"device", "at", "values"}` as a JSON array or NDJSON, checked at the door.

Everything that intake would refuse is refused here already, by the same functions, so that the answer can name it.
What is accepted goes into the stream as normalised NDJSON: values in their property's unit, the time always given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.sense.decoders import strict_json
from zhiwan.kernel.sense.decoders.reading import Decoded, microseconds
from zhiwan.kernel.sense.intake import Intake, decode_row, read_row
from zhiwan.kernel.sense.reasons import Problem, cut, set_aside

MOST_BODY = 8 * 1_048_576
_MESSAGE_BYTES = 512 * 1024
_NDJSON = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"}


class BodyRefused(InputRefused):
    """The whole body is refused; no row of it was read."""

    code = "SENSE-001"
    fact = "the body cannot be read"
    detail = "{problem}"
    hint = 'Send a JSON array or NDJSON of rows {{"device": …, "at": …, "values": {{…}}}}.'


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row, or one value of it (then `property` is set), that was not taken. `index` counts rows from 0.

    `row_taken` says whether other values of the row were.
    """

    index: int
    device: str
    property: str
    code: str
    reason_zh: str
    reason_en: str
    hint_zh: str
    hint_en: str
    row_taken: bool


@dataclass
class HttpRows:
    """`messages` are payloads for the stream `INTAKE`, each within the bus's limit."""

    messages: list[bytes] = field(default_factory=list)
    rows: int = 0
    accepted_rows: int = 0
    accepted_values: int = 0
    refused: list[RefusedRow] = field(default_factory=list)


def decode_http_rows(body: bytes, content_type: str, *, intake: Intake, received_at: datetime) -> HttpRows:
    """Check every row. Raises BodyRefused when the body as a whole is no list of rows."""
    found = HttpRows()
    received = microseconds(received_at)
    lines: list[bytes] = []
    for index, (device, decoded) in enumerate(_rows(body, content_type)):
        problems = list(decoded.problems)
        taken = False
        for reading in decoded.readings:  # one, or none when the row is no reading
            good, wrong = intake.examine(device, reading, received)
            problems += wrong
            if good:
                taken = True
                at = received if reading.at is None else reading.at
                # Milliseconds as a double keep the microsecond (2**53 µs reach to the year 2255).
                row = {"device": device, "at": at / 1000 if at % 1000 else at // 1000, "values": good}
                lines.append(msgspec.json.encode(row))
                found.accepted_values += len(good)
        found.rows += 1
        found.accepted_rows += taken
        found.refused += [_refused(index, device, problem, taken, received_at) for problem in problems]
    found.messages = _packed(lines)
    return found


def _rows(body: bytes, content_type: str) -> list[tuple[str, Decoded]]:
    if len(body) > MOST_BODY:
        raise BodyRefused(problem=f"{len(body)} bytes are more than {MOST_BODY}")
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _NDJSON:
        return [decode_row(line) for line in body.splitlines() if line.strip()]
    if kind != "application/json":
        raise BodyRefused(problem=f'"{cut(kind, 60)}" is neither application/json nor application/x-ndjson')
    try:
        content = strict_json.parse(body)
    except strict_json.Unreadable as problem:
        raise BodyRefused(problem=str(problem)) from problem
    return [read_row(entry) for entry in (content if isinstance(content, list) else [content])]


def _refused(index: int, device: str, problem: Problem, taken: bool, at: datetime) -> RefusedRow:
    told = set_aside(problem, 0, device, at)
    texts = (told.reason_zh, told.reason_en, told.hint_zh, told.hint_en)
    return RefusedRow(index, device, told.property, told.code, *texts, row_taken=taken)


def _packed(lines: list[bytes]) -> list[bytes]:
    """Lines joined to messages that are well below the bus's limit."""
    messages: list[bytes] = []
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > _MESSAGE_BYTES:
            messages.append(b"\n".join(part))
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    return [*messages, b"\n".join(part)] if part else messages
