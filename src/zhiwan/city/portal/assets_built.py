"""What bin/assets built: the hashed name of each file and the icons of the sprite."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.templatetags.static import static

from zhiwan.kernel.facts.errors import PartUnavailable

MANIFEST = Path(__file__).parent / "static" / "build" / "manifest.json"


class AssetsMissing(PartUnavailable):
    """The web assets were not built."""

    code = "PORTAL-001"
    fact = "the web assets are not built"
    detail = "{path} does not exist."
    hint = "Run bin/assets (bin/up does it)."


@cache
def _built() -> tuple[dict[str, str], frozenset[str]]:
    """Read once: the files a process serves (collected, hashed) belong to the build it started with."""
    try:
        found = json.loads(MANIFEST.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise AssetsMissing(path=MANIFEST.name) from problem
    return found["files"], frozenset(found["icons"])


def asset_url(name: str) -> str:
    """Address of a built file by its plain name. Raises AssetsMissing."""
    return static(f"build/{_built()[0][name]}")


def icon_url(name: str) -> str:
    """Address of an icon in the sprite; an icon that is not there (a pack from outside) shows as a map pin."""
    files, icons = _built()
    return f"{static('build/' + files['icons.svg'])}#{name if name in icons else 'map-pin'}"
