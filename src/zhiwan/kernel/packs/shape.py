"""Turns plain YAML values into the models of the format, and a pydantic complaint into a fault with file and line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zhiwan.kernel.packs.broken import LanguageMissing, PackFault, WrongShape
from zhiwan.kernel.packs.strict_yaml import Document, YamlPath, show_path

_ADVICE = {
    "extra_forbidden": "Remove the key or mend its spelling; docs/reference/pack-files.md lists the keys of each file.",
    "missing": "Add the key.",
    "string_type": "Write text; put quotes round digits, true and false where text is meant.",
    "bool_type": "Write true or false (yes, no, on and off are plain text in YAML 1.2).",
    "bool_parsing": "Write true or false (yes, no, on and off are plain text in YAML 1.2).",
    "string_pattern_mismatch": "Ids are small letters, digits and _; types begin with a capital; Type.property.",
    "literal_error": "Use one of the listed words.",
    "union_tag_invalid": "All models and their options: docs/reference/pack-files.md, signals of demo.yml.",
    "union_tag_not_found": "Write it as {model: daily, mean: 20, swing: 8}.",
}
_QUOTES = 'If these words end a text: inside {…} a text with a comma stands in quotes: en: "one, two".'

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
    for problem in error.errors(include_url=False, include_context=True):
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
                file=document.file, line=line, where=where, problem=_told(kind, last, problem),
                advice=_advice(kind, last, problem),
            )  # fmt: skip
        faults.setdefault((path, type(fault), last if kind in ("missing", "extra_forbidden") else ""), fault)
    # A misspelt key is unknown and missing at once: what stands there is told before what does not.
    ordered = sorted(faults.values(), key=lambda fault: "is missing" in str(fault.values.get("problem")))
    return sorted(ordered, key=lambda fault: fault.line)


def _told(kind: str, key: str, problem: Any) -> str:
    message = str(problem["msg"])
    if kind == "extra_forbidden":
        return f'the key "{key}" is not known here'
    if kind == "missing":
        return f'the key "{key}" is missing'
    if kind == "union_tag_invalid":
        return f'there is no model "{problem["ctx"]["tag"]}"'
    if kind == "union_tag_not_found":
        return "the signal names no model"
    return message.removeprefix("Value error, ")[0].lower() + message.removeprefix("Value error, ")[1:]


def _advice(kind: str, key: str, problem: Any) -> str:
    if kind == "extra_forbidden" and problem["input"] is None and " " in key:
        return _QUOTES
    if kind == "union_tag_invalid":
        known = problem["ctx"]["expected_tags"].replace("'", "").split(", ")
        near = difflib.get_close_matches(problem["ctx"]["tag"], known, n=1)
        return (f'Did you mean "{near[0]}"? ' if near else "") + _ADVICE[kind]
    return _ADVICE.get(kind, "See docs/how-to/write-a-pack.md for what stands here.")


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
