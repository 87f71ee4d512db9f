"""The trial pack of the city's tests: one gauge that measures a level, and only what a test adds to it.

PACK = trial_pack(rules=[…], case_kinds=[LOOK])          everything else of a pack is left empty
with loaded(monkeypatch, PACK): …                         it is the only pack of this process
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from zhiwan.city import packs_loaded
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.packs.packset import PackSet

_TONES = ("blue", "yellow", "orange", "red")


def words(text: str) -> dict[str, str]:
    """A sentence in both languages."""
    return {"zh": text, "en": text}


def scale(id: str, *levels: str) -> dict[str, Any]:
    """A scale whose levels rise, blue to red."""
    rising = [
        {"id": level, "title": words(level), "rank": rank + 1, "tone": _TONES[rank]}
        for rank, level in enumerate(levels)
    ]
    return {"id": id, "title": words(id), "levels": rising}


GAUGE: dict[str, Any] = {
    "id": "Gauge",
    "title": words("gauge"),
    "properties": {"level": {"title": words("level"), "unit": "m"}},
}
#: A kind of case that a patrol handles; how it ends says whether the alarm was right.
LOOK: dict[str, Any] = {
    "id": "look",
    "title": words("look"),
    "noun": words("case"),
    "handled_by": "patrol",
    "take_within": "15min",
    "handle_within": "2h",
    "outcomes": [
        {"id": "true", "title": words("true"), "scores": "hit"},
        {"id": "false", "title": words("false"), "scores": "false_alarm"},
    ],
}


def trial_pack(**parts: Any) -> Pack:
    """The pack governance.surge with these parts."""
    manifest = {
        "id": "governance.surge",
        "version": "1.0.0",
        "title": words("surge"),
        "summary": words("surge"),
        "owner": words("office"),
        "mission": ["D17.3"],
        "abilities": ["see"],
    }
    return Pack.model_validate({"manifest": manifest, "types": [GAUGE]} | parts)


@contextmanager
def loaded(monkeypatch: pytest.MonkeyPatch, pack: Pack) -> Iterator[None]:
    """While it lasts, this is the only pack."""
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([pack]))
    packs_loaded.forget()
    yield
    packs_loaded.forget()
