"""JSON Schemas of every file of a pack and of a place, printed from the models that read them.

An editor that knows them completes keys and marks mistakes while one types. `python -m zhiwan.kernel.proof.schemas`
writes them to docs/reference/schemas; a test says when they are out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from zhiwan.kernel.guard.purposes import Purpose
from zhiwan.kernel.packs.load import FILES
from zhiwan.kernel.packs.place import Body, Duty, PlaceDemo, PlaceFile, PostsFile, ZoneDecl
from zhiwan.kernel.packs.place_calendar import CalendarFile

PLACE_FILES: dict[str, Any] = {
    "place.yml": PlaceFile,
    "bodies.yml": list[Body],
    "posts.yml": PostsFile,
    "duties.yml": list[Duty],
    "zones.yml": list[ZoneDecl],
    "demo.yml": PlaceDemo,
    "calendar.yml": CalendarFile,
    "purposes.yml": list[Purpose],
}


def schemas() -> dict[str, str]:
    """File name of a schema → its JSON text."""
    found = {}
    for kind, files in (("pack", FILES), ("place", PLACE_FILES)):
        for name, shape in files.items():
            short = name.removesuffix(".yml").removesuffix("/*")
            title = f"{name} of a {kind}"
            body = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | TypeAdapter(shape).json_schema()
            body["title"] = title
            found[f"{kind}-{short}.schema.json"] = json.dumps(body, ensure_ascii=False, indent=1) + "\n"
    return found


def write_schemas(folder: Path) -> None:
    """Write all schemas into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference/schemas"))
