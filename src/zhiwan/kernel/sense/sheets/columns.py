"""What a list's columns are, and how one row is read by them: every cell that is wrong is named, the row goes on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from zhiwan.kernel.sense.sheets.problems import RowProblem, words
from zhiwan.kernel.sense.sheets.reading import Row, Sheet

T = TypeVar("T")
_BETWEEN = re.compile(r"[;,，；、\s]+")
_YES, _NO = frozenset({"true", "1", "yes", "y", "是"}), frozenset({"false", "0", "no", "n", "否"})


@dataclass(frozen=True)
class Column:
    """One column: its name in the file, what it says, and an example for the template."""

    name: str
    title: dict[str, str]
    help: dict[str, str]
    required: bool = False
    example: str = ""


@dataclass
class Checked:
    """What a list becomes: a draft for every good row, and everything that is wrong with the others."""

    drafts: dict[int, object] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def bad_rows(self) -> set[int]:
        return {one.row for one in self.problems}


def header_problems(sheet: Sheet, columns: Sequence[Column]) -> list[RowProblem]:
    """Columns that are missing or unknown; they are told of row 1."""
    known = {one.name for one in columns}
    missing = [
        RowProblem(
            1,
            one.name,
            "",
            "NO_COLUMN",
            words(f"缺少“{one.name}”列", f'the column "{one.name}" is missing'),
            words("请使用模板的第一行", "use the first row of the template"),
        )
        for one in columns
        if one.required and one.name not in sheet.header
    ]
    unknown = [
        RowProblem(
            1,
            name,
            name,
            "UNKNOWN_COLUMN",
            words(f"没有“{name}”这一列", f'there is no column "{name}"'),
            words("改成模板中的列名，或删除此列", "rename it as in the template, or delete the column"),
        )
        for name in sheet.header
        if name not in known
    ]
    return missing + unknown


class Cells:
    """The cells of one row, read by kind. What cannot be read is remembered in `problems` and given as empty."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.problems: list[RowProblem] = []

    def fail(self, column: str, code: str, reason: dict[str, str], hint: dict[str, str]) -> None:
        self.problems.append(
            RowProblem(self.row.number, column, self.row.cells.get(column, "")[:80], code, reason, hint)
        )

    def text(self, column: str, *, required: bool = False, most: int = 120) -> str:
        found = self.row.cells.get(column, "").strip()
        if not found and required:
            self.fail(column, "MISSING", words("没有填写", "it is empty"), words("请填写这一格", "fill in the cell"))
        if len(found) > most or any(ord(sign) < 32 for sign in found):
            self.fail(
                column,
                "TOO_LONG",
                words(f"超过 {most} 个字，或含有换行等控制字符", f"longer than {most} characters, or with line breaks"),
                words("缩短，写成一行", "shorten it to one line"),
            )
            return ""
        return found

    def id(self, column: str, pattern: str, example: str) -> str:
        found = self.text(column, required=True)
        if found and re.fullmatch(pattern, found) is None:
            self.fail(
                column,
                "BAD_ID",
                words("编号的写法不对", "the id has another form"),
                words(
                    f"只用字母、数字、- 和 _，例如 {example}", f"use letters, digits, - and _ only, such as {example}"
                ),
            )
            return ""
        return found

    def number(self, column: str, least: float, most: float, *, required: bool = False) -> float | None:
        found = self.text(column, required=required)
        if not found:
            return None
        try:
            value = float(found)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and least <= value <= most):
            self.fail(
                column,
                "BAD_NUMBER",
                words(f"不是 {least:g} 到 {most:g} 之间的数", f"not a number from {least:g} to {most:g}"),
                words("只填数字，不带单位", "write the number only, without a unit"),
            )
            return None
        return value

    def flag(self, column: str) -> bool:
        found = self.text(column).lower()
        if found in _YES:
            return True
        if found and found not in _NO:
            self.fail(
                column,
                "BAD_CHOICE",
                words("不是“是”或“否”", "neither yes nor no"),
                words("填“是”或“否”", "write yes or no"),
            )
        return False

    def day(self, column: str) -> str:
        found = self.text(column)
        try:
            return date.fromisoformat(found).isoformat() if found else ""
        except ValueError:
            self.fail(column, "BAD_DATE", words("不是日期", "not a date"), words("写成 2026-03-01", "write 2026-03-01"))
            return ""

    def choice(self, column: str, known: Mapping[str, T], what: dict[str, str], *, required: bool = True) -> T | None:
        found = self.text(column, required=required)
        return self._known(column, found, known, what) if found else None

    def several(self, column: str, known: Mapping[str, T], what: dict[str, str]) -> list[T]:
        """Values between ; or , each of which must be known."""
        parts = [part for part in _BETWEEN.split(self.text(column, required=True, most=600)) if part]
        found = [self._known(column, part, known, what) for part in dict.fromkeys(parts)]
        return [one for one in found if one is not None]

    def _known(self, column: str, found: str, known: Mapping[str, T], what: dict[str, str]) -> T | None:
        if found not in known:
            some = "、".join(list(known)[:8]) + (" …" if len(known) > 8 else "")
            self.fail(
                column,
                "UNKNOWN",
                words(f"没有这个{what['zh']}：{found}", f"there is no {what['en']} {found}"),
                words(f"已有：{some or '无'}", f"known: {some.replace('、', ', ') or 'none'}"),
            )
            return None
        return known[found]

    def twice(self, column: str, seen: dict[str, int], value: str) -> None:
        """Says so when an earlier row has the same value."""
        if value and seen.setdefault(value, self.row.number) != self.row.number:
            first = seen[value]
            self.fail(
                column,
                "TWICE",
                words(f"与第 {first} 行重复", f"the same as in row {first}"),
                words("删除其中一行，或改编号", "delete one of the rows, or change the id"),
            )
