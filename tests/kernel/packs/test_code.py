"""The door: what a pack's code may do, and how it is loaded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from zhiwan.kernel.packs.broken import CodeRefused, FileMissing
from zhiwan.kernel.packs.code import inspect_code, load_code
from zhiwan.kernel.packs.door import half_away, half_even
from zhiwan.kernel.packs.load import load_pack
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.proof.scaffold import new_pack

GOOD = '''
"""Doubles."""
import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from zhiwan.kernel.packs.door import InForce, Parameters
from .tables import FACTOR


def double(readings: pl.DataFrame, parameters: Parameters) -> pl.DataFrame:
    return readings.select("entity", "observed_at", doubled=pl.col("reading") * FACTOR)
'''


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    folder = new_pack("life/noise", tmp_path)
    (folder / "code").mkdir()
    (folder / "code" / "twice.py").write_text(GOOD, "utf-8")
    (folder / "code" / "tables.py").write_text("FACTOR = 2.0\n", "utf-8")
    return load_pack(folder)


def test_good_code_runs(pack: Pack) -> None:
    readings = pl.DataFrame({"entity": ["e1"], "observed_at": [datetime(2026, 1, 1, tzinfo=UTC)], "reading": [2.0]})
    assert load_code(pack, "twice:double")(readings, None)["doubled"].to_list() == [4.0]
    assert load_code(pack, "twice:double") is load_code(pack, "twice:double")


@pytest.mark.parametrize(
    "line",
    ["import os", "import polars.io", "from os import path", "from zhiwan.kernel.packs import load", "from .. import x",
     "open('x')", "eval('1')", "__import__('os')", "datetime.now()", "date.today()", "pl.read_csv('x')",
     "f.write_text('')",
     "().__class__", "pl.scan_parquet('x')", "print(1)", "import zhiwan.kernel.packs.load", "def f(:"],
)  # fmt: skip
def test_what_reaches_past_the_door_is_refused(line: str) -> None:
    assert [fault.line for fault in inspect_code(f"import polars as pl\n{line}\n", "code/a.py")] == [2]


def test_refused_code_is_never_run(pack: Pack) -> None:
    marker = Path(pack.folder) / "ran"
    (Path(pack.folder) / "code" / "other.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n", "utf-8"
    )
    with pytest.raises(CodeRefused):
        load_code(pack, "twice:double")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["twice:triple", "thrice:double", "twice:np"])
def test_a_function_that_is_not_there_is_told(pack: Pack, name: str) -> None:
    with pytest.raises(FileMissing):
        load_code(pack, name)


@pytest.mark.parametrize(
    ("value", "decimals", "even", "away"),
    [(2.5, 0, 2, 3), (3.5, 0, 4, 4), (-2.5, 0, -2, -3), (2.675, 2, 2.68, 2.68), (0.5, 0, 0, 1), (2.51, 0, 3, 3),
     (1.25, 1, 1.2, 1.3), (1.35, 1, 1.4, 1.4)],
)  # fmt: skip
def test_two_ways_to_round(value: float, decimals: int, even: float, away: float) -> None:
    found = pl.select(even=half_even(pl.lit(value), decimals), away=half_away(pl.lit(value), decimals))
    assert found.row(0) == pytest.approx((even, away))
