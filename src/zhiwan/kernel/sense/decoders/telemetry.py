"""Telemetry JSON: `{"at": RFC 3339 or epoch ms (optional), "values": {"level": 3.3}}`, or an array of such.

A value may be a number, true or false, a choice's id, or `{"value": 330, "unit": "cm"}`. `decode_fast` reads the common
shape (plain numbers, known keys) in C; whatever it does not take for certain, `decode` reads slowly and explains.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from zhiwan.kernel.sense.decoders import strict_json
from zhiwan.kernel.sense.decoders.reading import Decoded, Quantity, Reading, microseconds, read_time
from zhiwan.kernel.sense.reasons import Problem, cut

_KEYS = {"at", "values"}


class Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The common shape of one reading. `device` is used by the HTTP door's rows only."""

    values: dict[str, float]
    at: Annotated[datetime, Meta(tz=True)] | int | float | UnsetType = UNSET
    device: str = ""


_ONE = msgspec.json.Decoder(Plain)
_MANY = msgspec.json.Decoder(list[Plain])


def decode_fast(payload: bytes) -> list[tuple[int | None, dict[str, float], str]] | None:
    """(at in µs, values, device) of each reading; None when the slow way must look.

    The C decoder takes the last of two equal keys; we refuse them. It keeps no count, but quotes do: a payload has
    exactly two for each key and text that was decoded, or something (a second key, an escape) was lost on the way.
    """
    try:
        found = _MANY.decode(payload) if payload[:1] == b"[" else [_ONE.decode(payload)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    texts = 0
    readings = []
    for one in found:
        at = one.at
        texts += 1 + len(one.values)
        if one.device:
            texts += 2
        if at is UNSET:
            moment = None
        elif isinstance(at, datetime):
            texts += 2
            moment = microseconds(at)
        else:
            texts += 1
            moment = read_time(at)
            if moment is None:
                return None
        readings.append((moment, one.values, one.device))
    return readings if payload.count(b'"') == 2 * texts else None


def decode(payload: bytes) -> Decoded:
    """Every reading that can be understood, and a problem for everything else."""
    try:
        content = strict_json.parse(payload)
    except strict_json.Unreadable as problem:
        return Decoded(problems=[Problem("MALFORMED", "", cut(payload), str(problem))])
    decoded = Decoded()
    for entry in content if isinstance(content, list) else [content]:
        read_entry(entry, _KEYS, decoded)
    return decoded


def read_entry(entry: Any, keys: set[str], decoded: Decoded) -> None:
    """Add one parsed reading, or what is wrong with it."""
    if not isinstance(entry, dict):
        decoded.problems.append(Problem("MALFORMED", "", strict_json.show(entry), "a reading is a JSON object"))
        return
    values = entry.get("values")
    if not isinstance(values, dict):
        detail = '"values" is missing' if "values" not in entry else '"values" is no object'
        decoded.problems.append(Problem("MALFORMED", "", strict_json.show(entry), detail))
        return
    at = None
    if "at" in entry and (at := read_time(entry["at"])) is None:
        shown = strict_json.show(entry["at"])
        decoded.problems.append(Problem("BAD_TIME", "", strict_json.show(entry), shown))
        return
    decoded.problems += [
        Problem("EXTRA_FIELD", key, strict_json.show(entry[key]), key) for key in sorted(entry.keys() - keys)
    ]
    decoded.readings.append(Reading(at, [(name, _value(raw)) for name, raw in values.items()]))


def _value(raw: Any) -> Any:
    if isinstance(raw, dict) and raw.keys() == {"value", "unit"} and isinstance(raw["unit"], str):
        return Quantity(raw["value"], raw["unit"])
    return raw
