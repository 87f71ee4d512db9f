"""Reads XLSX and CSV by what they contain, whatever they are called. Nothing of a file is ever executed.

An XLSX file is a ZIP folder that a stranger made: its unpacked size, number of parts and ratio are bounded before
anything is unpacked, macros and links to other files are refused, XML goes through defusedxml. A formula is not
calculated: its cell is marked, and the row that needs it is refused.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from zhiwan.kernel.sense.sheets.problems import RowProblem, SheetRefused, words

MOST_BYTES = 10 * 1024 * 1024
MOST_UNPACKED = 64 * 1024 * 1024
MOST_RATIO = 200  # a list of people or devices packs 5 to 30 times
MOST_PARTS = 300
MOST_ROWS = 20_000
MOST_COLUMNS = 100
MOST_CELL = 2_000
#: Parts of an XLSX that act or lead elsewhere.
_ACTIVE = ("vbaproject", "/activex/", "/embeddings/", "/externallinks/", "/macrosheets/", "customui")


@dataclass(frozen=True)
class Row:
    """One line of the list: its number in the file, and its filled cells by column."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """A list as it was sent. `problems` are cells that could not be read at all."""

    header: list[str]
    rows: list[Row]
    problems: list[RowProblem] = field(default_factory=list)


def read_sheet(content: bytes, name: str) -> Sheet:
    """The first sheet of an XLSX file, or a CSV file in UTF-8 or GB 18030. Raises SheetRefused."""
    if not content.strip():
        raise _refused(name, "它是空的", "it is empty", "请填写模板后再上传", "Fill in the template")
    if len(content) > MOST_BYTES:
        raise _refused(
            name,
            f"超过 {MOST_BYTES >> 20} MB",
            f"it is larger than {MOST_BYTES >> 20} MB",
            "请分成几个文件",
            "Split it",
        )
    if content.startswith(b"PK\x03\x04"):
        return _sheet(_xlsx_lines(content, name), name)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise _refused(
            name,
            "是旧版 XLS，或加了密码",
            "it is an old XLS file, or protected by a password",
            "请另存为不带密码的 XLSX 或 CSV",
            "Save it as XLSX without a password, or as CSV",
        )
    return _sheet(_csv_lines(content, name), name)


def _refused(name: str, zh: str, en: str, advice_zh: str, advice_en: str) -> SheetRefused:
    return SheetRefused(name=name, problem_zh=zh, problem_en=en, advice_zh=advice_zh, advice_en=advice_en)


def _csv_lines(content: bytes, name: str) -> Iterator[Sequence[Any]]:
    if b"\x00" in content:
        raise _refused(name, "既不是 XLSX 也不是 CSV", "it is neither XLSX nor CSV", "请使用模板", "Use the template")
    text = ""
    for encoding in ("utf-8-sig", "gb18030"):  # what Excel saves in a Chinese system
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise _refused(name, "文字编码不明", "its text encoding is unknown", "请另存为 UTF-8", "Save it as UTF-8")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise _refused(
            name, f"CSV 有误（{error}）", f"broken CSV ({error})", "请检查引号", "Check its quotes"
        ) from error


def _xlsx_lines(content: bytes, name: str) -> Iterator[Sequence[Any]]:
    import openpyxl  # a part of a second to load, and only pages that read lists need it

    _check_folder(content, name)
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        # `active` may be a chart; the dimension a file states of itself may be a lie.
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for cells in sheet.iter_rows(max_col=MOST_COLUMNS + 1):
            yield [_Formula(str(one.value)) if one.data_type == "f" else one.value for one in cells]
        book.close()
    except SheetRefused:
        raise
    except Exception as error:  # a stranger's XML can break the reader in any way; the file is refused, the page lives
        raise _refused(
            name,
            "不是完好的 XLSX",
            f"it is no sound XLSX file ({type(error).__name__})",
            "请用表格软件重新另存，或改用 CSV",
            "Save it again with a spreadsheet program, or as CSV",
        ) from error


def _check_folder(content: bytes, name: str) -> None:
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except zipfile.BadZipFile as error:
        raise _refused(name, "文件已损坏", "it is damaged", "请重新另存", "Save it again") from error
    names = ["/" + part.filename.lower() for part in parts]
    if not any(one.endswith("/xl/workbook.xml") for one in names):
        raise _refused(name, "是压缩包，不是 XLSX", "it is a ZIP file, not XLSX", "请使用模板", "Use the template")
    if any(mark in one for one in names for mark in _ACTIVE):
        raise _refused(
            name,
            "含有宏、嵌入对象或外部链接",
            "it holds macros, embedded objects or links to other files",
            "请另存为普通 XLSX 或 CSV",
            "Save it as a plain XLSX or CSV file",
        )
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED or unpacked > MOST_RATIO * max(len(content), 4096):
        raise _refused(
            name,
            "解压后过大",
            "it unpacks to far more than a list needs",
            "请只保留一个工作表，或改用 CSV",
            "Keep one sheet only, or use CSV",
        )


class _Formula(str):
    """The text of a formula. It is not calculated."""


def _sheet(lines: Iterator[Sequence[Any]], name: str) -> Sheet:
    header: list[str] = []
    rows: list[Row] = []
    problems: list[RowProblem] = []
    for number, cells in enumerate(lines, start=1):
        if number > MOST_ROWS + 1:
            raise _refused(
                name, f"超过 {MOST_ROWS} 行", f"it has more than {MOST_ROWS} rows", "请分成几个文件", "Split it"
            )
        if number == 1:
            header = _header(cells, name)
            continue
        texts = [_text(cell) for cell in cells]
        if not any(texts):
            continue
        found: dict[str, str] = {}
        for at, text in enumerate(texts):
            if not text:
                continue
            column = header[at] if at < len(header) else ""
            problem = _cell_problem(number, column, cells[at], text)
            if problem is not None:
                problems.append(problem)
            if column:
                found[column] = text[:MOST_CELL]
        rows.append(Row(number, found))
    if not rows:
        raise _refused(
            name, "只有表头，没有内容", "it holds no rows", "请在表头下填写", "Fill in rows below the header"
        )
    return Sheet([one for one in header if one], rows, problems)


def _header(cells: Sequence[Any], name: str) -> list[str]:
    header = [_text(cell).lower() for cell in cells]
    while header and not header[-1]:
        header.pop()
    filled = [one for one in header if one]
    if not filled:
        raise _refused(name, "第一行没有列名", "its first row names no columns", "请使用模板", "Use the template")
    if len(header) > MOST_COLUMNS or len(set(filled)) < len(filled):
        raise _refused(
            name, "列太多或列名重复", "it has too many columns, or one of them twice", "请使用模板", "Use the template"
        )
    return header


def _cell_problem(row: int, column: str, cell: Any, text: str) -> RowProblem | None:
    if not column:
        return RowProblem(
            row,
            "",
            text[:80],
            "NO_COLUMN",
            words("这一格没有列名", "this cell has no column name"),
            words("删除这一格，或在第一行写上列名", "clear the cell, or name its column in the first row"),
        )
    if isinstance(cell, _Formula):
        return RowProblem(
            row,
            column,
            text[:80],
            "FORMULA",
            words("这一格是公式，公式不会被计算", "this cell is a formula; formulas are not calculated"),
            words("复制后“选择性粘贴为值”", "copy it and paste it as a value"),
        )
    if len(text) > MOST_CELL:
        return RowProblem(
            row,
            column,
            text[:80],
            "TOO_LONG",
            words(f"超过 {MOST_CELL} 个字符", f"longer than {MOST_CELL} characters"),
            words("缩短这一格", "shorten the cell"),
        )
    return None


def _text(cell: Any) -> str:
    """A cell as a person reads it. A code that the spreadsheet made a number (310116001.0) is its digits."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if (cell.hour, cell.minute, cell.second) == (0, 0, 0) else cell.isoformat(" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()
