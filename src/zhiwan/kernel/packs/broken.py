"""What can be wrong with a pack or a place when it is read. Each says file, line, place in the file and next step.

    PackBroken (facts.errors)
    └── PackFault           knows file, line and where
        ├── NotYaml              PACK-001
        ├── KeyTwice             PACK-002
        ├── CleverYaml           PACK-003   anchors, aliases, merges, tags
        ├── YamlBomb             PACK-004   too large, too deep, too many nodes
        ├── SurprisingScalar     PACK-005   octals, hex, infinities, numbers a double cannot hold
        ├── WrongShape           PACK-006   unknown or missing key, wrong type
        ├── FileMissing          PACK-007
        ├── FileUnknown          PACK-008
        ├── WrongPackId          PACK-009
        ├── IdTwice              PACK-010
        ├── LanguageMissing      PACK-011
        └── CodeRefused          PACK-012   pack code reaches past the door

Codes from PACK-020 belong to the checks between declarations: zhiwan.kernel.proof.check.
"""

from __future__ import annotations

from typing import Any, ClassVar

from zhiwan.kernel.facts.errors import PackBroken


class PackFault(PackBroken):
    """One thing wrong in one place of one file. Subclasses state `what`; file and line come first in every text."""

    what: ClassVar[str] = "{problem}"
    fact = "{place}: {what}"

    def __init__(self, *, file: str = "", line: int = 0, where: str = "", **values: Any) -> None:
        self.file, self.line, self.where = file, line, where
        place = ":".join(part for part in (file, str(line) if line else "") if part)
        place = " ".join(part for part in (place, where) if part) or "pack"
        values |= {"file": file, "line": line, "where": where, "place": place}
        self.values = values
        super().__init__(**values, what=self._fill(self.what))


class NotYaml(PackFault):
    code = "PACK-001"
    what = "this is not YAML: {problem}"
    detail = "{clue}"
    hint = "Mend the line; an editor with YAML support marks the spot."

    def __init__(self, *, clue: str = "", **values: Any) -> None:
        super().__init__(clue=clue, **values)


class KeyTwice(PackFault):
    code = "PACK-002"
    what = 'the key "{key}" stands twice'
    detail = "The first stands in line {first}; one of the two would be lost silently."
    hint = "Keep one of the two."


class CleverYaml(PackFault):
    code = "PACK-003"
    what = "{thing} are not allowed here"
    detail = "A pack says what it means where it says it; a reader must not have to look elsewhere in the file."
    hint = "Write the value out, and put quotes round text that starts with & * or !."


class YamlBomb(PackFault):
    code = "PACK-004"
    what = "{problem}"
    hint = "Split the file: params/ and tests/ take any number of files."


class SurprisingScalar(PackFault):
    code = "PACK-005"
    what = "{given} would be read differently by different people"
    detail = "{reason}"
    hint = "Put it in quotes if it is text (codes, versions), or write a plain decimal number."


class WrongShape(PackFault):
    code = "PACK-006"
    what = "{problem}"
    hint = "{advice}"


class FileMissing(PackFault):
    code = "PACK-007"
    what = "{name} is missing"
    hint = "{advice}"


class FileUnknown(PackFault):
    code = "PACK-008"
    what = "no part of the platform reads this file"
    detail = "Files of this folder: {known}."
    hint = "Rename it (a typo would be silent otherwise) or move it out of the folder."


class WrongPackId(PackFault):
    code = "PACK-009"
    what = 'the id "{given}" does not match the folder "{folder}"'
    hint = "A pack in packs/<part>/<name>/ has the id <part>.<name>."


class IdTwice(PackFault):
    code = "PACK-010"
    what = 'the {thing} "{id}" is declared twice'
    detail = "First declared in {first}."
    hint = "Rename one of the two; type names are shared by all packs, other ids by one pack."


class LanguageMissing(PackFault):
    code = "PACK-011"
    what = "this sentence lacks {languages}"
    hint = "Write both: {{zh: …, en: …}}. Every human sentence of a pack carries Chinese and English."


class CodeRefused(PackFault):
    code = "PACK-012"
    what = "pack code may not {problem}"
    detail = "Code of a pack is pure: the same readings and parameters give the same result, live and in a replay."
    hint = "Import only polars, numpy, math, datetime, dataclasses and the door; take times as arguments."
