"""Checks what a person or an import says of an entity against its type's declaration. Nothing is guessed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from zhiwan.kernel.packs.models import EntityType, FieldDecl


def problems_of(kind: EntityType, fields: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with the fields, one sentence each; empty when they may be kept."""
    found = [f'{kind.id} has no field "{name}"' for name in fields if name not in kind.fields]
    for name, declared in kind.fields.items():
        value = fields.get(name)
        if value is None:
            if declared.required:
                found.append(f"{name} is required")
        elif (problem := _problem(declared, value)) is not None:
            found.append(f"{name}: {problem}")
    return found


def _problem(declared: FieldDecl, value: Any) -> str | None:
    match declared.type:
        case "number":
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                return f"{value!r} is not a finite number"
        case "boolean":
            if not isinstance(value, bool):
                return f"{value!r} is neither true nor false"
        case "text":
            if not isinstance(value, str) or len(value) > 2000:
                return "a text of at most 2000 characters is expected"
        case "choice":
            known = [choice.id for choice in declared.choices]
            if value not in known:
                return f"{value!r} is none of {', '.join(known)}"
        case "date":
            try:
                date.fromisoformat(value)
            except (TypeError, ValueError):
                return f"{value!r} is not a date like 2026-03-01"
    return None


def value_to_judge(declared: FieldDecl, value: Any, zone: tzinfo) -> float | bool | str | datetime | None:
    """A field as expressions calculate with it; what does not fit its declaration is missing.

    A date is its first moment in the legal time zone, as it is for parameters.
    """
    if value is None or _problem(declared, value) is not None:
        return None
    match declared.type:
        case "number":
            return float(value)
        case "date":
            return datetime.combine(date.fromisoformat(value), time(), zone).astimezone(UTC)
        case "boolean":
            return bool(value)
        case _:
            return str(value)
