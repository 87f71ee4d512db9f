"""Fields that demo.yml and replays give to an entity: of its type, of their kind, among their choices, none missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.models import EntityType, FieldDecl
from zhiwan.kernel.packs.signals import Between, Choose, DrawnField
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.subject import Spot, Subject, listed

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "text": ((str,), "a text"),
    "choice": ((str,), "a choice"),
    "date": ((str,), "a date in quotes"),
}


def fields(
    subject: Subject, here: Spot, kind: EntityType, given: Mapping[str, Sequence[Any]], *, whole: bool = False
) -> Iterator[PackFault]:
    """`given` holds every value that each field may get; `whole`: required ones may not be missing."""
    for name, values in given.items():
        at = here.into("fields", name)
        declared = kind.fields.get(name)
        if declared is None:
            known = listed(kind.fields)
            yield subject.fault(faults.PropertyUnknown, at, type=kind.id, thing="field", name=name, known=known)
            continue
        unfit = [value for value in values if value is not None and not _fits(declared, value)]
        if unfit:
            shown = ", ".join(map(_shown, unfit))
            problem = f'the field "{name}" is {_KINDS[declared.type][1]} and cannot be {shown}'
            yield subject.fault(faults.FieldUnfit, at, problem=problem, advice=_advice(declared))
    missing = [name for name, one in kind.fields.items() if one.required and name not in given] if whole else []
    if missing:
        problem = f"{kind.id} requires {listed(missing)}, which is not given"
        advice = "Give it under `fields`, or drop `required` in types.yml."
        yield subject.fault(faults.FieldUnfit, here, problem=problem, advice=advice)


def possible(value: DrawnField) -> list[Any]:
    """All that a field of demo.yml may become."""
    if isinstance(value, Between):
        return list(value.between)
    return list(value.choose) if isinstance(value, Choose) else [value]


def _fits(declared: FieldDecl, value: Any) -> bool:
    kinds, _ = _KINDS[declared.type]
    if not isinstance(value, kinds) or (declared.type == "number" and isinstance(value, bool)):
        return False
    if declared.type == "choice":
        return value in [choice.id for choice in declared.choices]
    return declared.type != "date" or _is_date(str(value))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _advice(declared: FieldDecl) -> str:
    if declared.type == "choice":
        return f"It is one of: {', '.join(choice.id for choice in declared.choices)}."
    if declared.type == "date":
        return 'Write it as "2026-07-01".'
    return f"Write {_KINDS[declared.type][1]}, or mend the type of the field in types.yml."
