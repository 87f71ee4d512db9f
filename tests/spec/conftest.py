"""Tables that say what expressions and rules mean; every engine must agree with each line (style: habit 7).

| value | limit | ? value > limit |      first line: names, then `?` and the expression
| 2     | 1     | yes             |      blank or ~: missing; yes, no, ~; 'text'
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from zhiwan.kernel.judge import Known, Scope, parse
from zhiwan.kernel.judge.engines.duckdb import to_duckdb
from zhiwan.kernel.judge.engines.polars import DTYPES, to_polars
from zhiwan.kernel.judge.engines.reference import evaluate_reference
from zhiwan.kernel.judge.expressions import nodes as n

sys.path.insert(0, str(Path(__file__).parent.parent / "kernel" / "judge"))

KINDS = {"b": "boolean", "c": "boolean", "word": "text"}


def cell(text: str):
    text = text.strip()
    if text in ("", "~"):
        return None
    if text in ("yes", "no"):
        return text == "yes"
    return text[1:-1] if text.startswith("'") else float(text)


def table(text: str) -> tuple[list[str], list[list[str]]]:
    lines = [[part.strip() for part in line.strip().strip("|").split("|")] for line in text.strip().splitlines()]
    return lines[0], lines[1:]


def by_reference(expr: n.Expr, rows: list[dict], frame: pl.DataFrame) -> list:
    return [evaluate_reference(expr, row) for row in rows]


def by_polars(expr: n.Expr, rows: list[dict], frame: pl.DataFrame) -> list:
    return frame.with_columns(to_polars(expr).alias("#"))["#"].to_list()


def by_duckdb(expr: n.Expr, rows: list[dict], frame: pl.DataFrame) -> list:
    with duckdb.connect() as connection:
        connection.register("t", frame.with_row_index("#").to_arrow())
        return [row[0] for row in connection.sql(f'SELECT {to_duckdb(expr)} FROM t ORDER BY "#"').fetchall()]


@pytest.fixture(params=[by_reference, by_polars, by_duckdb], ids=["reference", "polars", "duckdb"])
def spec(request):
    """Checks a table on one engine; the test runs once for each engine."""

    def check(text: str) -> None:
        head, lines = table(text)
        names = [name for name in head if not name.startswith("?")]
        known = {name: Known(KINDS.get(name, "number")) for name in names}
        scope = Scope(known, {"limit": Known()}, watched=Known())
        rows = [{name: cell(line[i]) for i, name in enumerate(names)} for line in lines]
        schema = {name: DTYPES[known[name].kind] for name in names}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        for column, title in enumerate(head):
            if title.startswith("?"):
                expr = parse(title[1:].strip(), scope)
                found = request.param(expr, rows, frame)
                wanted = [cell(line[column]) for line in lines]
                assert found == wanted, f"{title[1:].strip()}: {found}, the table says {wanted}"

    return check
