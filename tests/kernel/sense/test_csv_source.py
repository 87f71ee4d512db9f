"""CSV history: units and zones as declared, a reason for every cell not taken, and the same rows for any chunk size."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from sense_world import GAUGE, NOON

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, Quality
from zhiwan.kernel.packs.models import Source
from zhiwan.kernel.sense import CsvChunk, SourceRefused, entity_slug, read_csv_source

SOURCE = Source.model_validate(
    {
        "id": "stations",
        "title": {"zh": "站", "en": "stations"},
        "format": "csv",
        "type": "Gauge",
        "entity_column": "station",
        "entity_prefix": "bj-",
        "time": {"columns": ["year", "month", "day", "hour"], "zone": "Asia/Shanghai"},
        "values": {"level": {"column": "LEVEL", "unit": "cm"}, "co": {"column": "CO", "unit": "ug/m3"}},
        "ignoring": ["No"],
        "attribution": {"zh": "无", "en": "none"},
    }
)
HEADER = '"No","year","month","day","hour","LEVEL","CO","wd","station"'


def read(path: Path, *lines: str, header: str = HEADER, **more: object) -> list[CsvChunk]:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return list(read_csv_source(SOURCE, path, GAUGE, recorded_at=NOON, **more))  # type: ignore[arg-type]


def told(chunks: list[CsvChunk]) -> list[tuple[int, str, str, str]]:
    return [(one.line, one.column, one.code, one.raw) for chunk in chunks for one in chunk.refused]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stations.csv"


def test_lines_become_observations_in_declared_units_and_zone(path: Path) -> None:
    (chunk,) = read(path, '1,2013,3,1,8,330,300,"NNW","Aoti Zhongxin"')
    assert dict(chunk.frame.schema) == OBSERVATION_SCHEMA
    midnight = datetime(2013, 3, 1, tzinfo=UTC)
    assert chunk.frame.select("entity", "property", "observed_at", "value", "source", "seq").rows() == [
        ("bj-aoti-zhongxin", "level", midnight, 3.3, "stations", 0),
        ("bj-aoti-zhongxin", "co", midnight, 0.3, "stations", 0),
    ]
    assert (chunk.rows, chunk.refused, chunk.extra, chunk.part) == (1, [], {"wd": 1}, 1.0)
    assert entity_slug(" Aoti Zhongxin") == "aoti-zhongxin"


def test_missing_is_no_error(path: Path) -> None:
    (chunk,) = read(path, "1,2013,3,1,8,NA,,NA,a")
    assert chunk.frame.is_empty()
    assert (chunk.refused, chunk.extra) == ([], {})


def test_each_bad_cell_or_line_has_its_line_and_reason(path: Path) -> None:
    chunks = read(
        path,
        "1,2013,3,1,0,high,300,N,a",
        "2,2013,3,1,1,1,NaN,N,a",
        "3,2013,3,1,2,1,inf,N,a",
        "4,2013,13,1,3,1,1,N,a",
        "5,2013,3,1,4,1,1,N",
        "6,2013,3,1,5,1,1,N,a,b",
        "7,2013,3,1,6,1,1,N,unknown",
        "8,2013,3,1,7,1,1,N,  ",
        '9,2013,3,1,8,1,1,"N"x,a',
        "10,2013,3,1,9,1,1,N,a",
        known={"bj-a"},
    )
    assert told(chunks) == [
        (2, "LEVEL", "NOT_A_NUMBER", "high"),
        (3, "CO", "NOT_FINITE", "NaN"),
        (4, "CO", "NOT_FINITE", "inf"),
        (5, "year, month, day, hour", "BAD_TIME", "2013 13 1 3"),
        (6, "", "MALFORMED", "5,2013,3,1,4,1,1,N"),
        (7, "", "MALFORMED", "6,2013,3,1,5,1,1,N,a,b"),
        (8, "station", "UNKNOWN_DEVICE", "bj-unknown"),
        (9, "station", "UNKNOWN_DEVICE", ""),
        (10, "", "MALFORMED", ""),
    ]
    frame = pl.concat(chunk.frame for chunk in chunks)
    assert frame.select("property", "value").rows() == [
        ("co", 0.3), ("level", 0.01), ("level", 0.01), ("level", 0.01), ("co", 0.001),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "word"),
    [
        (HEADER.replace("CO", "CO2"), "CO"),
        (HEADER.replace("hour", "h"), "hour"),
        (HEADER.replace("wd", "CO"), "twice"),
        ("", "year"),
    ],
)
def test_a_file_of_another_shape_is_refused_whole(path: Path, header: str, word: str) -> None:
    with pytest.raises(SourceRefused, match="SENSE-002") as refused:
        read(path, header=header)
    assert word in str(refused.value)


def test_a_packed_file_reads_the_same_and_a_damaged_one_says_so(path: Path) -> None:
    lines = [f"{k},2013,3,{1 + k // 24},{k % 24},{k % 7},{k},N,a" for k in range(200)]
    plain = read(path, *lines)
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    found = list(read_csv_source(SOURCE, packed, GAUGE, recorded_at=NOON))
    assert found[0].frame.equals(plain[0].frame)
    packed.write_bytes(packed.read_bytes()[:-300])
    damaged = list(read_csv_source(SOURCE, packed, GAUGE, recorded_at=NOON))
    assert [code for _, _, code, _ in told(damaged)] == ["MALFORMED"]


@pytest.mark.parametrize("chunk_rows", [1, 7, 50, 1000])
def test_any_chunk_size_gives_the_same_rows_flags_and_corrections(path: Path, chunk_rows: int) -> None:
    lines = [f"{k},2013,3,{1 + (k * 7 % 40) // 24},{(k * 7 % 40) % 24},{k % 3},2000,N,a" for k in range(120)]
    whole = read(path, *lines)
    parts = read(path, *lines, chunk_rows=chunk_rows)
    frame = pl.concat(chunk.frame for chunk in parts)
    assert frame.equals(whole[0].frame)
    assert sum(chunk.duplicates for chunk in parts) == whole[0].duplicates > 0
    flags = {Quality(one) for one in frame["quality"]}
    assert any(Quality.CORRECTION in one for one in flags)
    assert any(Quality.LATE in one for one in flags)
    corrected = frame.sort("recorded_at").unique(["property", "observed_at"], keep="last", maintain_order=True)
    assert corrected.height == 80, "of each identity one row is the latest"


def test_a_format_may_be_declared_and_a_time_that_clocks_skip_is_refused(path: Path) -> None:
    time = {"columns": ["when"], "format": "%d.%m.%Y %H:%M", "zone": "Europe/Vienna"}
    source = SOURCE.model_copy(update={"time": type(SOURCE.time).model_validate(time)})
    path.write_text("when,LEVEL,CO,station\n31.03.2024 01:30,1,1,a\n31.03.2024 02:30,1,1,a\n31.03.2024,1,1,a\n")
    (chunk,) = read_csv_source(source, path, GAUGE, recorded_at=NOON)
    assert chunk.frame["observed_at"].unique().to_list() == [datetime(2024, 3, 31, 0, 30, tzinfo=UTC)]
    assert [one.line for one in chunk.refused] == [3, 4]
