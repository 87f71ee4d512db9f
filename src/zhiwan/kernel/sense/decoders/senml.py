"""SenML JSON (RFC 8428): base fields, relative times, numbers and booleans; texts and data are no observations.

A record's name is bn + n; the property is its last part after `/` or `:`. What stands before is the sender's own name
for itself (a URN, a serial number) and is handed on, so that intake can refuse readings made in another device's name.
"""

from __future__ import annotations

import re
from typing import Any

from zhiwan.kernel.sense.decoders import strict_json
from zhiwan.kernel.sense.decoders.reading import Decoded, NoNumber, NotFinite, Quantity, Reading
from zhiwan.kernel.sense.reasons import Problem, cut

_BASE = {"bn", "bt", "bu", "bv", "bs", "bver"}
_KNOWN = _BASE | {"n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"}
_VALUES = ("v", "vb", "vs", "vd")
_RELATIVE_BELOW = 2**28  # RFC 8428 §4.5.3: smaller times are seconds from now
_LATEST = 253_402_300_799
_VERSION = 10
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9\-:./_]*$")


class _Wrong(ValueError):
    """A record that cannot be taken: code and what is wrong."""

    def __init__(self, code: str, detail: str, property: str = "") -> None:
        self.code, self.detail, self.property = code, detail, property
        super().__init__(detail)


def decode(payload: bytes, received: int) -> tuple[Decoded, list[str]]:
    """Readings and problems, and the name before the property of each reading. `received` (µs) is "now"."""
    decoded, owners = Decoded(), []
    try:
        records = strict_json.parse(payload)
        if not isinstance(records, list):
            raise strict_json.Unreadable("a SenML pack is an array of records")
    except strict_json.Unreadable as problem:
        return Decoded(problems=[Problem("MALFORMED", "", cut(payload), str(problem))]), []
    if must := _must_understand(records):
        # RFC 8428 §4.4: a field ending in "_" changes the meaning of all records; not knowing it, we take none.
        return Decoded(problems=[Problem("MALFORMED", "", cut(payload), f'the field "{must}" is not understood')]), []
    base: dict[str, Any] = {}
    for record in records:
        try:
            if not isinstance(record, dict):
                raise _Wrong("MALFORMED", "a SenML record is an object")
            base |= _checked_base(record)
            if not record.keys() - _BASE:
                continue  # carries base values for those after it, and none of its own
            owner, name = _name(base, record)
            reading = Reading(_time(base, record, received, name), [(name, _value(base, record, name))])
        except _Wrong as wrong:
            decoded.problems.append(Problem(wrong.code, wrong.property, strict_json.show(record), wrong.detail))
            continue
        decoded.problems += [
            Problem("EXTRA_FIELD", key, strict_json.show(record[key]), key) for key in sorted(record.keys() - _KNOWN)
        ]
        decoded.readings.append(reading)
        owners.append(owner)
    return decoded, owners


def _must_understand(records: list[Any]) -> str | None:
    keys = {key for record in records if isinstance(record, dict) for key in record}
    return next((key for key in sorted(keys) if key.endswith("_")), None)


def _checked_base(record: dict[str, Any]) -> dict[str, Any]:
    for key, kind in (("bn", str), ("bu", str), ("bt", float), ("bv", float), ("bver", int)):
        if key in record and not _is(record[key], kind):
            raise _Wrong("MALFORMED", f'"{key}" is {strict_json.show(record[key])}')
    if record.get("bver", _VERSION) > _VERSION:
        raise _Wrong("MALFORMED", f"SenML version {record['bver']} is newer than {_VERSION}")
    return {key: record[key] for key in _BASE & record.keys()}


def _name(base: dict[str, Any], record: dict[str, Any]) -> tuple[str, str]:
    own = record.get("n", "")
    full = f"{base.get('bn', '')}{own}"
    if not _is(own, str) or not _NAME.match(full):
        raise _Wrong("MALFORMED", f'the name "{cut(full, 60)}" is no SenML name')
    cut_at = max(full.rfind("/"), full.rfind(":")) + 1
    return full[:cut_at].rstrip("/:"), full[cut_at:]


def _time(base: dict[str, Any], record: dict[str, Any], received: int, name: str) -> int | None:
    own = record.get("t", 0)
    if not _is(own, float):
        raise _Wrong("BAD_TIME", strict_json.show(own), name)
    if "t" not in record and "bt" not in base:
        return None
    seconds = float(base.get("bt", 0) + own)
    if abs(seconds) > _LATEST:
        raise _Wrong("BAD_TIME", f"{seconds} s", name)
    return round(seconds * 1_000_000) + (received if seconds < _RELATIVE_BELOW else 0)


def _value(base: dict[str, Any], record: dict[str, Any], name: str) -> Any:
    given = [key for key in _VALUES if key in record]
    if len(given) > 1:
        raise _Wrong("MALFORMED", f"a record has one value, here are {' and '.join(given)}", name)
    if not given and "bv" not in base:
        raise _Wrong("NOT_A_NUMBER", "a sum without a value" if "s" in record else "no value", name)
    unit = record.get("u", base.get("bu"))
    if unit is not None and not _is(unit, str):
        raise _Wrong("WRONG_UNIT", strict_json.show(unit), name)
    key = given[0] if given else "v"
    raw = record.get(key, 0)
    if key == "v":
        raw = raw + base["bv"] if _is(raw, float) and "bv" in base else raw
    elif key != "vb" or not isinstance(raw, bool):
        return NoNumber(raw)
    return raw if unit is None or key == "vb" else Quantity(raw, unit)


def _is(value: Any, kind: type) -> bool:
    """Of a JSON kind; a number is no boolean and finite."""
    if kind is str:
        return isinstance(value, str)
    number = isinstance(value, int | float) and not isinstance(value, bool | NotFinite)
    return number and (kind is float or isinstance(value, int))
