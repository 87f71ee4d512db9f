"""Turns plain YAML values into the models of the format, and a pydantic complaint into a fault with file and line."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zhiwan.kernel.packs.broken import LanguageMissing, PackFault, WrongShape
from zhiwan.kernel.packs.strict_yaml import Document, YamlPath, show_path

_ADVICE = {
    "extra_forbidden": "Remove the key or mend its spelling; docs/how-to/write-a-pack.md lists the keys of every file.",
    "missing": "Add the key.",
    "string_type": "Write text; put quotes round digits, true and false where text is meant.",
    "bool_type": "Write true or false (yes, no, on and off are plain text in YAML 1.2).",
    "bool_parsing": "Write true or false (yes, no, on and off are plain text in YAML 1.2).",
    "string_pattern_mismatch": "Ids are small letters, digits and _; types begin with a capital; Type.property.",
    "literal_error": "Use one of the listed words.",
}


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def shaped(document: Document, shape: Any, value: Any = None, at: YamlPath = ()) -> Any:
    """The document (or a part of it, found at `at`) as `shape`. Raises the first PackFault."""
    try:
        # JSON mode is strict about what YAML already typed (no "5" for 5, no yes for true) yet reads dates from text.
        body = json.dumps(document.value if value is None else value, ensure_ascii=False)
        return _adapter(shape).validate_json(body, strict=True)
    except ValidationError as error:
        raise faults_of(error, document, at)[0] from error


def faults_of(error: ValidationError, document: Document, at: YamlPath = ()) -> list[PackFault]:
    """Every complaint of one validation, in the order of the file. Faults of a union are told once."""
    faults: dict[tuple[Any, ...], PackFault] = {}
    for problem in error.errors(include_url=False, include_context=False):
        path = document.real_path((*at, *problem["loc"]))
        line = document.line(path)
        where = _named(document, path)
        last = str(problem["loc"][-1]) if problem["loc"] else ""
        kind = problem["type"]
        if kind == "missing" and last in ("zh", "en"):
            fault: PackFault = LanguageMissing(
                file=document.file, line=line, where=where, languages={"zh": "Chinese (zh)", "en": "English (en)"}[last]
            )
        else:
            fault = WrongShape(
                file=document.file, line=line, where=where, problem=_told(kind, last, problem["msg"]),
                advice=_ADVICE.get(kind, "See docs/how-to/write-a-pack.md for what stands here."),
            )  # fmt: skip
        faults.setdefault((path, type(fault), last if kind in ("missing", "extra_forbidden") else ""), fault)
    return sorted(faults.values(), key=lambda fault: fault.line)


def _told(kind: str, key: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f'the key "{key}" is not known here'
    if kind == "missing":
        return f'the key "{key}" is missing'
    return message.removeprefix("Value error, ")[0].lower() + message.removeprefix("Value error, ")[1:]


def _named(document: Document, path: YamlPath) -> str:
    """The path with ids in place of numbers: rules[river_above_warning].level."""
    steps: list[str | int] = []
    value = document.value
    for step in path:
        value = value[step]
        name = value.get("id") if isinstance(step, int) and isinstance(value, dict) else None
        steps.append(f"[{name}]" if isinstance(name, str) else step)
    text = show_path(tuple(steps))
    return text.replace(".[", "[")
