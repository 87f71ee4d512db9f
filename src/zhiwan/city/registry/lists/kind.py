"""What all kinds of list share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from zhiwan.kernel.sense.sheets import Cells, Checked, Column, Sheet, header_problems


@dataclass(frozen=True)
class Taken:
    """What was kept. `secrets` are shown once: rows of `secret_header`, for a file that the person downloads."""

    count: int
    secret_header: tuple[str, ...] = ()
    secrets: list[tuple[str, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """One kind of list. `read` gives the reader of one row, made once per file so that it may look things up."""

    id: str
    title: dict[str, str]
    columns: Callable[[], list[Column]]
    read: Callable[[Sheet], Callable[[Cells], object]]
    take: Callable[[Sequence[object], datetime], Taken]

    def check(self, sheet: Sheet) -> Checked:
        """Every row on its own; a file with wrong columns has no good row."""
        checked = Checked(problems=[*sheet.problems])
        wrong = header_problems(sheet, self.columns())
        if wrong:
            checked.problems += wrong
            return checked
        unreadable = {one.row for one in sheet.problems}
        read = self.read(sheet)
        for row in sheet.rows:
            cells = Cells(row)
            draft = read(cells)
            checked.problems += cells.problems
            if not cells.problems and row.number not in unreadable:
                checked.drafts[row.number] = draft
        checked.problems.sort(key=lambda one: one.row)
        return checked
