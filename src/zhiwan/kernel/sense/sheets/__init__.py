"""Lists that people keep in a spreadsheet: read strictly from XLSX or CSV, written as templates.

read_sheet(content: bytes, name: str) -> Sheet            raises SheetRefused
write_xlsx(titles, header, examples, notes) -> bytes      an empty list with an example and explanations
Cells, Checked, Column, header_problems               reading rows by columns (columns.py)
Sheet(header: list[str], rows: list[Row(number, cells)])
RowProblem(row, column, raw, code, reason, hint)          what is wrong with one cell, in both languages
"""

from zhiwan.kernel.sense.sheets.columns import Cells, Checked, Column, header_problems
from zhiwan.kernel.sense.sheets.problems import RowProblem, SheetRefused, words
from zhiwan.kernel.sense.sheets.reading import Row, Sheet, read_sheet
from zhiwan.kernel.sense.sheets.writing import write_xlsx

__all__ = [
    "Cells",
    "Checked",
    "Column",
    "Row",
    "RowProblem",
    "Sheet",
    "SheetRefused",
    "header_problems",
    "read_sheet",
    "words",
    "write_xlsx",
]
