"""Prints the reference of the pack format from the models themselves: keys, kinds, defaults, comments.

`python -m zhiwan.kernel.proof.reference` writes docs/reference; a test says when it is out of date.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from zhiwan.kernel.packs import broken
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.load import FILES
from zhiwan.kernel.packs.models import DemoDevice, Tone, print_duration
from zhiwan.kernel.packs.replays import ReplayKind
from zhiwan.kernel.packs.signals import AnySignal, Between, Choose, Signal
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.checks.ledger import QUALITIES
from zhiwan.kernel.proof.schemas import PLACE_FILES, write_schemas

_HEAD = "<!-- Printed by `python -m zhiwan.kernel.proof.reference`; change the models, not this page. -->\n"
_PLAIN_WORDS = {
    "Identifier": "id", "TypeName": "type name", "Reference": "id, or other.id", "Text": "{zh, en}", "str": "text",
    "float": "number", "int": "whole number", "bool": "true or false",
    "AwareDatetime": "time with offset", "Grade": "1 to 5", "Duration": "duration", "Offset": "+duration",
    "AreaCode": "area code in quotes", "Slug": "id, - allowed", "EntityId": "entity id", "FeedItem": "feed item",
    "Any": "anything", "AnySignal": "signal", "DrawnField": "value, between or choose", "HandId": "id, hand-…",
    "Tone": " · ".join(f"`{tone}`" for tone in get_args(Tone)),
    "ReplayKind": " · ".join(f"`{kind}`" for kind in get_args(ReplayKind)),
}  # fmt: skip


def pages() -> dict[str, str]:
    """File name → Markdown."""
    return {"pack-files.md": _files_page(), "pack-errors.md": _errors_page()}


def _files_page() -> str:
    text = [_HEAD, "# Files of a pack and of a place", ""]
    text += ["How to use them: [write a pack](../how-to/write-a-pack.md). JSON Schemas: [schemas/](schemas/).", ""]
    told: set[str] = set()
    for title, files in (("pack", FILES), ("place", PLACE_FILES)):
        for name, shape in files.items():
            text += [f"## {name} of a {title}", ""]
            text += ["A list; each item:" if get_origin(shape) is list else "One item:", ""]
            waiting: list[type[BaseModel]] = [*_models_in(shape)]
            while waiting:
                model = waiting.pop(0)
                if model.__name__ in told:
                    continue
                told.add(model.__name__)
                text += _table(model)
                text += _signals_table() if model is DemoDevice else []
                waiting += [inner for field in model.model_fields.values() for inner in _models_in(field.annotation)]
    text += ["## Qualities of the ledger", "", "| key | meaning |", "|---|---|"]
    text += [f"| `{key}` | {meaning} |" for key, meaning in QUALITIES.items()]
    return "\n".join(text) + "\n"


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation.__name__ != "Text" and not issubclass(annotation, Signal | Between | Choose):
            yield annotation
        return
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _table(model: type[BaseModel]) -> list[str]:
    text = [f"**{model.__name__}**"]
    if model.__doc__ and model.__doc__ != BaseModel.__doc__:
        text[0] += f" — {model.__doc__.strip().splitlines()[0]}"
    text += ["", "| key | value | default | |", "|---|---|---|---|"]
    notes = _notes(model)
    for name, field in model.model_fields.items():
        kind, comment = notes.get(name, ("", ""))
        default = (
            "**required**" if field.is_required() else f"`{_default(field.get_default(call_default_factory=True))}`"
        )
        text.append(f"| `{field.alias or name}` | {kind} | {default} | {comment} |")
    return [*text, ""]


def _signals_table() -> list[str]:
    """One row per model of a signal: its sentence, and its options with their defaults."""
    text = ["**Signals of demo.yml**: `power: {model: night, on: 120}`", ""]
    text += ["| model | sends | options |", "|---|---|---|"]
    union, _ = get_args(AnySignal)
    for model in get_args(union):
        options = []
        for name, field in model.model_fields.items():
            words = get_args(field.annotation)
            if name == "model":
                (spoken,) = words
            elif words and all(isinstance(word, str) for word in words):
                options.append(f"`{name}`: " + ", ".join(f"`{word}`" for word in words))
            else:
                options.append(f"`{name}`" + (" **required**" if field.is_required() else f" {field.default:g}"))
        text.append(f"| `{spoken}` | {(model.__doc__ or '').strip()} | {'; '.join(options)} |")
    return [*text, ""]


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "{}"
    if isinstance(value, timedelta):
        return print_duration(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "~" if value is None else str(value)


def _notes(model: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """Field → (its kind as written, in plain words; the comment at the end of its line)."""
    source = textwrap.dedent(inspect.getsource(model))
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            _, _, comment = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")
            found[node.target.id] = (_spoken(node.annotation), comment.strip().replace("|", "\\|"))
    return found


def _spoken(node: ast.expr) -> str:
    """An annotation in words: list[Identifier] → list of id."""
    if isinstance(node, ast.Subscript):
        name = ast.unparse(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if name == "Annotated":
            return _spoken(inner[0])
        if name == "list":
            return f"list of {_spoken(inner[0])}"
        if name == "dict":
            return f"{{{_spoken(inner[0])}: {_spoken(inner[1])}}}"
        if name == "tuple":
            return "[" + ", ".join(_spoken(one) for one in inner) + "]"
        if name == "Literal":
            return " · ".join(f"`{ast.literal_eval(one)}`" for one in inner)
    if isinstance(node, ast.BinOp):
        sides = [_spoken(side) for side in (node.left, node.right)]
        return " or ".join(side for side in sides if side != "None")
    text = ast.unparse(node)
    return _PLAIN_WORDS.get(text, text)


def _errors_page() -> str:
    text = [_HEAD, "# Errors of packs", ""]
    text += ["Each has a pack in `tests/bad_packs` that fails with it. Codes are never used again.", ""]
    kinds = {
        kind.code: kind
        for module in (broken, faults)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, PackFault) and kind is not PackFault
    }
    text += ["| code | what | next step |", "|---|---|---|"]
    for code, kind in sorted(kinds.items()):
        what, hint = (part.replace("|", "\\|").replace("{{", "{").replace("}}", "}") for part in (kind.what, kind.hint))
        name = "".join(f" {char.lower()}" if char.isupper() else char for char in kind.__name__).strip()
        text.append(f"| {code} | *{name}*: {what} | {hint} |")
    return "\n".join(text) + "\n"


def write_reference(folder: Path) -> None:
    """Write pages and schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")
    write_schemas(folder / "schemas")


if __name__ == "__main__":
    write_reference(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
