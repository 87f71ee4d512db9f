"""Starts a pack: a small complete one that passes check and replay, to be changed step by step. Text: template/."""

from __future__ import annotations

import re
from pathlib import Path

from zhiwan.kernel.facts.errors import PackBroken

_TEMPLATE = Path(__file__).with_name("template")
PARTS = ("base", "economy", "life", "governance", "security", "delivery")


class PackNameRefused(PackBroken):
    """A name that cannot be that of a pack."""

    code = "PACK-014"
    fact = '"{name}" cannot be the name of a pack'
    detail = "{reason}"
    hint = "Write <part>/<name>, such as life/noise; parts: base, economy, life, governance, security, delivery."


class FirstTypeRefused(PackBroken):
    """A name that cannot be that of a type, or a row that no plan can have."""

    code = "PACK-015"
    fact = '"{given}" cannot be {thing}'
    hint = "{advice}"


def new_pack(name: str, root: Path, *, type: str | None = None, mission: str = "A5") -> Path:
    """Write `root/<part>/<name>` and return it. Refuses names outside the format and folders that exist."""
    part, _, short = name.partition("/")
    if part not in PARTS or not re.fullmatch(r"[a-z][a-z0-9_]{1,30}", short):
        raise PackNameRefused(name=name, reason="A name is small letters, digits and _, inside one of six parts.")
    if type is not None and not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,47}", type):
        advice = "A type is written in letters and digits and begins with a capital: LampPost."
        raise FirstTypeRefused(given=type, thing="the name of a type", advice=advice)
    if not re.fullmatch(r"[A-E][1-9][0-9]?(\.[1-9][0-9]?)?", mission):
        raise FirstTypeRefused(given=mission, thing="a row of the mission", advice="Rows look like A18 or D17.6.")
    folder = root / part / short
    if folder.exists():
        raise PackNameRefused(name=name, reason=f"{part}/{short} exists already.")
    words = {
        "__part__": part,
        "__name__": short,
        "__Type__": type or "".join(word.capitalize() for word in short.split("_") if word) + "Station",
        "__row__": mission,
        "__id__": short.replace("_", "-").strip("-"),
    }
    for source in sorted(_TEMPLATE.rglob("*.yml")):
        text = source.read_text("utf-8")
        for mark, word in words.items():
            text = text.replace(mark, word)
        target = folder / source.relative_to(_TEMPLATE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return folder
