"""Before and after of a record as a person reads them: one line for each thing that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from zhiwan.city.portal.audit_words import field_word

LONG = 120  # characters; more is folded


@dataclass(frozen=True)
class Change:
    """`name` says where in the record; `before` is None where it was not there, `after` where it is gone."""

    name: str
    before: str | None
    after: str | None
    same: bool

    @property
    def long(self) -> bool:
        return max(len(self.before or ""), len(self.after or "")) > LONG


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """What changed first, then what is told for context and stayed."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    names = list(dict.fromkeys([*old, *new]))
    found = [
        Change(
            " · ".join(field_word(part) for part in name),
            _shown(old[name]) if name in old else None,
            _shown(new[name]) if name in new else None,
            same=name in old and name in new and old[name] == new[name],
        )
        for name in names
    ]
    return sorted(found, key=lambda one: one.same)


def in_short(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, most: int = 2) -> str:
    """The first changes in one line of a list."""
    told = []
    nothing = {None, "–", _("（空）")}
    for one in changes(before, after):
        if one.same or {one.before, one.after} <= nothing:
            continue
        arrow = f"{one.before} → " if one.before else ""
        told.append(f"{one.name} {arrow}{_cut(one.after or '–')}")
    rest = " …" if len(told) > most else ""
    return "; ".join(told[:most]) + rest


def _flat(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in value.items():
        if isinstance(one, Mapping) and one:
            yield from _flat(one, (*path, name))
        else:
            yield (*path, name), one


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if value in ("", [], {}):
        return _("（空）")
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
