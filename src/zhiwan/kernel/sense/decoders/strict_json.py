"""JSON read strictly: UTF-8, no key twice, no deep nesting; NaN and infinities become marked values, not numbers."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from zhiwan.kernel.sense.decoders.reading import NoNumber, NotFinite, Quantity

#: One message; the broker and the HTTP door refuse larger ones before we see them.
MOST_BYTES = 1_048_576
DEEPEST = 8
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OTHER_THAN_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LONGEST_INT = 25


class Unreadable(ValueError):
    """Not the JSON we take; the text says why."""


def parse(payload: bytes) -> Any:
    """The value. Raises Unreadable."""
    _refuse_depth(payload)
    try:
        return json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=NotFinite,
            parse_float=_float,
            parse_int=_int,
        )
    except UnicodeDecodeError as problem:
        raise Unreadable(f"not UTF-8 at byte {problem.start}") from problem
    except json.JSONDecodeError as problem:
        raise Unreadable(f"{problem.msg}, line {problem.lineno} column {problem.colno}") from problem


def show(value: Any) -> str:
    """A parsed value as text again, for a person to see."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_shown)
    except (TypeError, ValueError):
        return str(value)


def _shown(value: Any) -> Any:
    if isinstance(value, NotFinite):
        return value.text
    if isinstance(value, Quantity):
        return {"value": value.value, "unit": value.unit}
    return value.raw if isinstance(value, NoNumber) else str(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        _refuse(f'the key "{next(name for name in names if names.count(name) > 1)}" stands twice')
    return found


def _float(text: str) -> float | NotFinite:
    number = float(text)
    return NotFinite(text) if number in (float("inf"), float("-inf")) else number


def _int(text: str) -> int | float | NotFinite:
    # Python refuses to read integers of thousands of digits; a double is all that a value can be anyway.
    return int(text) if len(text) < _LONGEST_INT else _float(text)


def _refuse_depth(payload: bytes) -> None:
    depth = 0
    for bracket in _STRINGS.sub(b"", payload).translate(None, _OTHER_THAN_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            _refuse(f"nested deeper than {DEEPEST}")


def _refuse(detail: str) -> NoReturn:
    raise Unreadable(detail)
