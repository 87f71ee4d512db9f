"""Writes a list as XLSX: all cells as text, so that codes keep their digits, with a second sheet that explains."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence


def write_xlsx(
    titles: tuple[str, str],
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    notes: Iterable[Sequence[str]] = (),
    *,
    prepared_rows: int = 200,
) -> bytes:
    """`titles` name the two sheets; `prepared_rows` are formatted as text for what a person will fill in."""
    import openpyxl
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = titles[0]
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    sheet.freeze_panes = "A2"
    for number, name in enumerate(header, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = max(14, len(name) + 4)
        sheet.cell(1, number).font = Font(bold=True)
        sheet.cell(1, number).fill = PatternFill("solid", fgColor="DCE6F1")
        for line in range(1, prepared_rows + 2):
            cell = sheet.cell(line, number)
            cell.number_format = "@"
            if cell.value is not None:
                cell.data_type = "s"  # also what begins with = is text
    explained = book.create_sheet(titles[1])
    for note in notes:
        explained.append(list(note))
    for letter, width in (("A", 20), ("B", 28), ("C", 12), ("D", 70)):
        explained.column_dimensions[letter].width = width
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
