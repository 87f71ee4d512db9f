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


def new_pack(name: str, root: Path) -> Path:
    """Write `root/<part>/<name>` and return it. Refuses names outside the format and folders that exist."""
    part, _, short = name.partition("/")
    if part not in PARTS or not re.fullmatch(r"[a-z][a-z0-9_]{1,30}", short):
        raise PackNameRefused(name=name, reason="A name is small letters, digits and _, inside one of six parts.")
    folder = root / part / short
    if folder.exists():
        raise PackNameRefused(name=name, reason=f"{part}/{short} exists already.")
    words = {
        "__part__": part,
        "__name__": short,
        "__Type__": "".join(word.capitalize() for word in short.split("_") if word) + "Station",
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
