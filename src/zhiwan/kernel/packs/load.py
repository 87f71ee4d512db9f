"""Reads pack folders into models. What must hold *between* declarations is checked by zhiwan.kernel.proof.check.

pack.yml  types.yml  params/*.yml  rules.yml  derive.yml  indicators.yml  warnings.yml  plans.yml  cases.yml
views.yml  sources.yml  demo.yml  quality.yml  tests/*.yml  stories/*.yml  code/*.py  README.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from zhiwan.kernel.packs.broken import FileMissing, FileUnknown, IdTwice, WrongPackId
from zhiwan.kernel.packs.models import (
    CaseKind,
    Demo,
    Derive,
    EntityType,
    Indicator,
    Pack,
    PackManifest,
    Parameter,
    Plan,
    Quality,
    RulesFile,
    Source,
    Views,
    WarningKind,
)
from zhiwan.kernel.packs.names import normalised
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.replays import Replay
from zhiwan.kernel.packs.shape import shaped
from zhiwan.kernel.packs.stories import Story
from zhiwan.kernel.packs.strict_yaml import Document, read_yaml

#: File of a pack → its shape. The JSON Schemas in docs/reference/schemas are printed from this table.
FILES: dict[str, Any] = {
    "pack.yml": PackManifest,
    "types.yml": list[EntityType],
    "params/*.yml": list[Parameter],
    "rules.yml": RulesFile,
    "derive.yml": list[Derive],
    "indicators.yml": list[Indicator],
    "warnings.yml": list[WarningKind],
    "plans.yml": list[Plan],
    "cases.yml": list[CaseKind],
    "views.yml": Views,
    "sources.yml": list[Source],
    "demo.yml": Demo,
    "quality.yml": Quality,
    "tests/*.yml": list[Replay],
    "stories/*.yml": Story,
}
_FOLDERS = {"params": ".yml", "tests": ".yml", "stories": ".yml", "code": ".py"}
_SILENT = {"README.md", "__pycache__"}


@dataclass(frozen=True)
class Read:
    """A pack with the documents it was read from, so that later checks can name lines."""

    pack: Pack
    replays: tuple[tuple[str, int, Replay], ...]  # file, number in the file, replay
    stories: tuple[tuple[str, Story], ...] = ()  # file, story
    documents: dict[str, Document] = field(default_factory=dict)


def load_pack(folder: Path) -> Pack:
    """One pack. Raises PackFault with file, line, place and next step."""
    return read_pack(folder, replays=False).pack


def load_packs(folders: Sequence[Path]) -> PackSet:
    """All packs below the given roots (`packs/<part>/<pack>`), ordered by id. Raises PackFault."""
    found = [load_pack(folder) for root in folders for folder in pack_folders(root)]
    return PackSet.of(found)


def pack_folders(root: Path) -> list[Path]:
    """The pack folders below a root, in the order of their names."""
    if not root.is_dir():
        raise FileMissing(file=str(root), name="the folder of packs", advice="Mend the path (ZHIWAN_PACKS).")
    return sorted(path.parent for path in root.glob("*/*/pack.yml"))


def read_pack(folder: Path, *, replays: bool = True) -> Read:
    """One pack with its documents and, unless it is only to be run, its replays and stories. Raises PackFault."""
    if not (folder / "pack.yml").is_file():
        raise FileMissing(
            file="pack.yml", name="a pack's first file", advice="Start with `zhiwan pack new <part>/<name>`."
        )
    _refuse_unknown_files(folder)
    documents: dict[str, Document] = {}
    read = partial(_read, folder, documents)
    manifest: PackManifest = read("pack.yml", PackManifest)
    if manifest.id != f"{folder.parent.name}.{folder.name}":
        raise WrongPackId(
            file="pack.yml", line=documents["pack.yml"].line(("id",)), where="id",
            given=manifest.id, folder=f"{folder.parent.name}/{folder.name}",
        )  # fmt: skip
    rules: RulesFile = read("rules.yml", RulesFile)
    pack = Pack(
        manifest=manifest,
        types=read("types.yml", list[EntityType]),
        parameters=[one for name in _inside(folder, "params", ".yml") for one in read(name, list[Parameter])],
        scales=rules.scales,
        rules=rules.rules,
        derives=read("derive.yml", list[Derive]),
        indicators=read("indicators.yml", list[Indicator]),
        warnings=read("warnings.yml", list[WarningKind]),
        plans=read("plans.yml", list[Plan]),
        case_kinds=read("cases.yml", list[CaseKind]),
        views=read("views.yml", Views),
        sources=read("sources.yml", list[Source]),
        demo=read("demo.yml", Demo),
        quality=read("quality.yml", Quality),
        folder=str(folder.resolve()),
    )
    _refuse_ids_twice(documents)
    proofs = tuple(
        (name, number, replay)
        for name in (_inside(folder, "tests", ".yml") if replays else ())
        for number, replay in enumerate(read(name, list[Replay]))
    )
    stories = tuple((name, read(name, Story)) for name in (_inside(folder, "stories", ".yml") if replays else ()))
    return Read(normalised(pack), proofs, stories, documents)


def _read(folder: Path, documents: dict[str, Document], name: str, shape: Any) -> Any:
    """A missing or empty file is the empty declaration of its shape."""
    path = folder / name
    empty: Any = [] if getattr(shape, "__origin__", None) is list else {}
    if not path.is_file():
        return [] if empty == [] else shape()
    document = read_yaml(path, name)
    documents[name] = document
    return shaped(document, shape, empty if document.value is None else document.value)


def _inside(folder: Path, part: str, ending: str) -> list[str]:
    return [f"{part}/{path.name}" for path in sorted((folder / part).glob(f"*{ending}"))]


def _refuse_unknown_files(folder: Path) -> None:
    plain = sorted(name for name in FILES if "/" not in name)
    for path in sorted(folder.iterdir()):
        if path.name in _SILENT or path.name in FILES:
            continue
        ending = _FOLDERS.get(path.name) if path.is_dir() else None
        if ending is None:
            raise FileUnknown(file=path.name, known=", ".join([*plain, *(f"{name}/" for name in _FOLDERS)]))
        for inner in sorted(path.iterdir()):
            if inner.name not in _SILENT and (inner.suffix != ending or inner.is_dir()):
                raise FileUnknown(file=f"{path.name}/{inner.name}", known=f"*{ending}")


#: thing → (file pattern, path of the list in the file)
_ID_LISTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("type", "types.yml", ()),
    ("parameter", "params/", ()),
    ("scale", "rules.yml", ("scales",)),
    ("rule", "rules.yml", ("rules",)),
    ("derive step", "derive.yml", ()),
    ("indicator", "indicators.yml", ()),
    ("warning", "warnings.yml", ()),
    ("plan", "plans.yml", ()),
    ("case kind", "cases.yml", ()),
    ("layer", "views.yml", ("layers",)),
    ("panel", "views.yml", ("panels",)),
    ("source", "sources.yml", ()),
)


def _refuse_ids_twice(documents: dict[str, Document]) -> None:
    for thing, start, path in _ID_LISTS:
        seen: dict[tuple[str, str], str] = {}
        for name, document, number, item in _items(documents, start, path):
            # A parameter may stand once per region: the nearest region in force wins.
            key = (str(item["id"]), str(item.get("region", "CN")) if thing == "parameter" else "")
            line = document.line((*path, number, "id"))
            if key in seen:
                raise IdTwice(file=name, line=line, where=key[0], thing=thing, id=key[0], first=seen[key])
            seen[key] = f"{name}:{line}"


def _items(
    documents: dict[str, Document], start: str, path: tuple[str, ...]
) -> Iterator[tuple[str, Document, int, dict[str, Any]]]:
    for name, document in documents.items():
        if name == start or (start.endswith("/") and name.startswith(start)):
            value = document.value
            for step in path:
                value = (value or {}).get(step)
            for number, item in enumerate(value or []):
                yield name, document, number, item
