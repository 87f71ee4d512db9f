"""Whatever a column holds, PostgreSQL reads back the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from django.db import connection

from zhiwan.city.sql.arrays import pg_array

pytestmark = pytest.mark.django_db
MOMENT = datetime(2026, 3, 1, 16, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        (['a"b', "c\\d", "{x,y}", "NULL", "", "两 字\n", None], pl.String(), "text"),
        ([1.5, -0.1, 1e-300, 1e300, 0.1 + 0.2, None], pl.Float64(), "float8"),
        ([1, -7, None], pl.Int32(), "int"),
        ([MOMENT, None], pl.Datetime("us", "UTC"), "timestamptz"),
        ([MOMENT], pl.Datetime("us", "Asia/Shanghai"), "timestamptz"),
        ([b"", b'\x00\xff\\"{,}', b"abc", None], pl.Binary(), "bytea"),
        ([], pl.String(), "text"),
    ],
)
def test_what_goes_in_comes_back(values: list[Any], dtype: pl.DataType, kind: str) -> None:
    column = pl.Series(values, dtype=pl.Datetime("us", "UTC") if isinstance(dtype, pl.Datetime) else dtype)
    column = column.cast(dtype)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM unnest(%s::{kind}[])", [pg_array(column)])
        assert [_plain(value) for (value,) in cursor.fetchall()] == values


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
