"""What can be wrong with a list: the file as a whole, or one cell of it."""

from __future__ import annotations

from dataclasses import dataclass

from zhiwan.kernel.facts.errors import InputRefused


class SheetRefused(InputRefused):
    """A file that is no list: nothing of it is read."""

    code = "SENSE-010"
    fact = "the file {name} cannot be read: {problem_en}"
    hint = "{advice_en}."


@dataclass(frozen=True)
class RowProblem:
    """Why a row is not taken, and what to do. `row` counts as the spreadsheet does: the header is row 1."""

    row: int
    column: str
    raw: str
    code: str
    reason: dict[str, str]
    hint: dict[str, str]


def words(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}
