"""Reads YAML 1.2 without surprises: plain values, and the line of every one of them.

Built on the event stream of ruamel.yaml, not on its constructors: aliases, anchors, merges and tags are refused before
anything is built, so no file can grow in memory (billion laughs) or run code, and `on`, `no`, `yes` stay text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from zhiwan.kernel.packs.broken import CleverYaml, KeyTwice, NotYaml, SurprisingScalar, YamlBomb

MAX_BYTES = 1_000_000
MAX_DEPTH = 24
MAX_NODES = 100_000

YamlPath = tuple[str | int, ...]

_INT = re.compile(r"^[-+]?(0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_OCTAL = re.compile(r"^[-+]?0o?[0-9_]+(\.[0-9]*)?$")
_HEX = re.compile(r"^[-+]?0[xb][0-9a-fA-F_]+$")
_SPECIAL = re.compile(r"^[-+]?\.(inf|Inf|INF|nan|NaN|NAN)$")
_GROUPED = re.compile(r"^[-+]?[0-9]{1,3}(_[0-9]{3})+$")
_EXACT = 2**53
#: What people do most often where a parser only says what it expected instead.
_CLUES = (
    (re.compile(r"^ *\t"), "Line {line} is indented with a tab: use spaces."),
    (
        re.compile(r"(^\s*(- +)?|[{,，]\s*)\w+：|，\s*[a-z_]+:"),
        "Line {line} has a full-width ： or ，: keys take : and ,.",
    ),
    (re.compile(r"^\s*(- +)?[a-z_]+:[^\s:]"), "Line {line} lacks a space after the colon."),
    (re.compile(r"[{,]\s*(zh|en): [^\"'{},][^{},]*: "), "Line {line} has a text with a colon: put it in quotes."),
)


class Document:
    """One YAML file as plain values (dict, list, str, int, float, bool, None) with the line of each path."""

    def __init__(self, file: str, value: Any, lines: dict[YamlPath, int]) -> None:
        self.file, self.value, self._lines = file, value, lines

    def line(self, path: YamlPath) -> int:
        """The line of a path, or of the nearest thing that holds it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def real_path(self, path: YamlPath) -> YamlPath:
        """The longest start of `path` that exists in the file (validators add steps of their own)."""
        while path and path not in self._lines:
            path = path[:-1]
        return path


def read_yaml(path: Path, shown: str) -> Document:
    """Read one file. `shown` is the name that errors carry (a path relative to the pack). Raises PackFault."""
    with path.open("rb") as handle:
        data = handle.read(MAX_BYTES + 1)
    return parse_yaml(data, shown)


def parse_yaml(data: bytes, shown: str) -> Document:
    """Read YAML from bytes; see read_yaml."""
    if len(data) > MAX_BYTES:
        raise YamlBomb(file=shown, problem=f"the file is larger than {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise NotYaml(file=shown, line=line, problem="a byte here is not UTF-8") from error
    if version := re.search(r"^%", text, re.MULTILINE):
        line = text[: version.start()].count("\n") + 1
        raise CleverYaml(file=shown, line=line, thing="directives (% at the start of a line)")
    reader = _Reader(shown)
    try:
        value = reader.document(_events(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = str(error.problem or error.context)
        raise NotYaml(file=shown, line=line, problem=problem, clue=_clue(text, line, problem)) from error
    except YAMLError as error:
        raise NotYaml(file=shown, line=1, problem=str(error).splitlines()[0]) from error
    return Document(shown, value, reader.lines)


def _clue(text: str, line: int, problem: str) -> str:
    """What is likely wrong: the mistake often stands a line before the one where reading failed."""
    rows = text.splitlines()
    for number in (line, line - 1):
        for looks_like, clue in _CLUES if 1 <= number <= len(rows) else ():
            if looks_like.search(rows[number - 1]):
                return clue.format(line=number)
    return "Keys that belong together begin in the same column." if "block" in problem else ""


def _events(text: str) -> Iterator[Any]:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    yield from yaml.parse(text)


class _Reader:
    """Builds values from events. Recursion is bounded by MAX_DEPTH, size by MAX_NODES."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[YamlPath, int] = {}
        self.nodes = 0

    def document(self, events: Iterator[Any]) -> Any:
        value: Any = None
        documents = 0
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    line = event.start_mark.line + 1
                    raise CleverYaml(file=self.file, line=line, thing="several documents in one file (---)")
            elif kind not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent", "CommentEvent"):
                value = self._node(event, events, ())
        return value

    def _node(self, event: Any, events: Iterator[Any], path: YamlPath) -> Any:
        line = event.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise YamlBomb(file=self.file, line=line, problem=f"the file holds more than {MAX_NODES:,} values")
        if len(path) > MAX_DEPTH:
            raise YamlBomb(file=self.file, line=line, problem=f"values are nested deeper than {MAX_DEPTH} levels")
        kind = type(event).__name__
        if kind == "AliasEvent":
            raise CleverYaml(file=self.file, line=line, where=_shown(path), thing="aliases (*name)")
        if getattr(event, "anchor", None):
            raise CleverYaml(file=self.file, line=line, where=_shown(path), thing="anchors (&name)")
        if getattr(event, "tag", None):
            raise CleverYaml(file=self.file, line=line, where=_shown(path), thing="tags (!name)")
        if kind == "ScalarEvent":
            return self._scalar(event, line, path)
        if kind == "SequenceStartEvent":
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _sequence(self, events: Iterator[Any], path: YamlPath) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            found.append(self._node(event, events, (*path, len(found))))
        return found

    def _mapping(self, events: Iterator[Any], path: YamlPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = self._key(event, path)
            line = event.start_mark.line + 1
            if key in found:
                first = self.lines[(*path, key)]
                raise KeyTwice(file=self.file, line=line, where=_shown(path), key=key, first=first)
            self.lines[(*path, key)] = line
            found[key] = self._node(next(events), events, (*path, key))
        return found

    def _key(self, event: Any, path: YamlPath) -> str:
        line = event.start_mark.line + 1
        if type(event).__name__ != "ScalarEvent":
            raise CleverYaml(file=self.file, line=line, where=_shown(path), thing="keys that are not plain words")
        if event.anchor or event.tag or event.value == "<<":
            thing = "merges (<<)" if event.value == "<<" else "anchors and tags on keys"
            raise CleverYaml(file=self.file, line=line, where=_shown(path), thing=thing)
        return str(event.value)

    def _scalar(self, event: Any, line: int, path: YamlPath) -> Any:
        text = str(event.value)
        if event.style is not None:  # quoted or block: text, whatever it looks like
            return text
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE"):
            return True
        if text in ("false", "False", "FALSE"):
            return False
        if _INT.match(text):
            number = int(text)
            if abs(number) > _EXACT:
                self._refuse(text, "Digits beyond 2^53 are lost in a number; a code is text.", line, path)
            return number
        if _FLOAT.match(text):
            if not math.isfinite(float(text)):
                self._refuse(text, "It is larger than any number a double can hold.", line, path)
            return float(text)
        if _OCTAL.match(text):
            self._refuse(text, "Some readers take a leading zero for an octal number.", line, path)
        if _HEX.match(text) or _GROUPED.match(text):
            self._refuse(text, "Some readers take this for a number, others for text.", line, path)
        if _SPECIAL.match(text):
            self._refuse(text, "Infinity and NaN are no values; leave the key out or write ~ for missing.", line, path)
        return text

    def _refuse(self, text: str, reason: str, line: int, path: YamlPath) -> None:
        raise SurprisingScalar(file=self.file, line=line, where=_shown(path), given=text, reason=reason)


def _shown(path: YamlPath) -> str:
    """`rules[2].message.zh`: how a path is written in errors."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else step)
    return text


show_path = _shown
