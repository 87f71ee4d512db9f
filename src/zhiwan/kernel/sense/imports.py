"""History from CSV files by a pack's `sources.yml`: in chunks, with a reason for every cell or line that is not taken.

Python's csv module splits the lines (it knows quotes and counts lines), Polars does the rest by columns. Units are
those the source declares, converted to the property's. An undeclared column is set aside and counted; a declared
one that is missing stops the file: it has changed its shape.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import polars as pl

from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.facts.units import convert
from zhiwan.kernel.packs.models import EntityType, Source, SourceTime
from zhiwan.kernel.sense import checks
from zhiwan.kernel.sense.decoders.reading import microseconds
from zhiwan.kernel.sense.memory import IntakeMemory
from zhiwan.kernel.sense.reasons import Problem, cut, set_aside
from zhiwan.kernel.sense.vocabulary import limits_of

CHUNK_ROWS = 20_000
_LINE = "line number"  # no declared column has a space and this name
_CLOCK_FORMAT = "%Y-%m-%d %H:%M"
_NOT_SLUG = re.compile(r"[^a-z0-9_-]+")


class SourceRefused(InputRefused):
    """A file that is not what its source declares."""

    code = "SENSE-002"
    fact = 'the file {path} is no "{source}"'
    detail = "{problem}"
    hint = "Compare its header with the source in the pack's sources.yml."


@dataclass(frozen=True, slots=True)
class RefusedCell:
    """A cell that was not taken; when `column` names the time or the station, its whole line was not."""

    line: int
    column: str
    raw: str
    code: str
    reason_zh: str
    reason_en: str
    hint_zh: str
    hint_en: str


@dataclass(frozen=True)
class CsvChunk:
    """Some lines of the file. `extra` counts filled cells of undeclared columns, `part` is how much is read (0…1)."""

    frame: pl.DataFrame
    refused: list[RefusedCell]
    rows: int
    duplicates: int
    extra: dict[str, int]
    part: float


def read_csv_source(
    source: Source,
    path: Path,
    of: EntityType,
    *,
    recorded_at: datetime,
    name: str | None = None,
    known: Collection[str] | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[CsvChunk]:
    """The file as observations of type `of`, chunk by chunk; `.gz` is unpacked on the way.

    `name` is the observations' source (default: the source's id); `known` are the entities that exist. The rows'
    recorded_at follows the lines, a microsecond each, so that of two lines for one identity the later wins.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        lines = csv.reader(_text(raw, path), strict=True)
        columns = _Columns(source, path, of, _header(lines, source, path), known)
        memory = IntakeMemory()
        for numbers, cells, broken in _chunks(lines, columns.header, chunk_rows):
            table = pl.DataFrame(cells, schema=dict.fromkeys(columns.header, pl.String), orient="row")
            table = table.with_columns(pl.Series(_LINE, numbers, dtype=pl.Int64))
            points, refused = columns.points(table, microseconds(recorded_at), name or source.id)
            frame, duplicates = checks.check(points, memory, None)
            yield CsvChunk(
                frame=frame.with_columns(seq=pl.lit(0, pl.Int64)).cast({"seq": OBSERVATION_SCHEMA["seq"]}),
                refused=sorted([*broken, *refused], key=lambda cell: cell.line),
                rows=len(numbers) + len(broken),
                duplicates=duplicates,
                extra=columns.undeclared(table),
                part=min(raw.tell() / size, 1.0),
            )


def entity_slug(text: str) -> str:
    """A station's name as part of an entity id: lower case, other characters than a-z 0-9 _ - become one dash."""
    return _NOT_SLUG.sub("-", text.strip().lower()).strip("-")


class _Columns:
    """How the columns of one file become observations."""

    def __init__(
        self, source: Source, path: Path, of: EntityType, header: list[str], known: Collection[str] | None
    ) -> None:
        self.header = header
        self._source, self._known = source, known
        needed = [*source.time.columns, *(value.column for value in source.values.values())]
        needed += [source.entity_column] if source.entity_column else []
        if missing := [column for column in needed if column not in header]:
            raise SourceRefused(path=path.name, source=source.id, problem=f"missing: {', '.join(missing)}")
        if undeclared := sorted(source.values.keys() - of.properties.keys()):
            raise SourceRefused(path=path.name, source=source.id, problem=f"{of.id} has no {', '.join(undeclared)}")
        self._declared = of.properties
        self._undeclared = [column for column in header if column not in {*needed, *source.ignoring}]
        limits = {(of.id, name): of.properties[name] for name in source.values}
        self._limits = limits_of(limits).with_columns(skew=pl.lit(None, pl.Int64)).drop("type", "derived")

    def undeclared(self, table: pl.DataFrame) -> dict[str, int]:
        filled = ~pl.col(self._undeclared).str.strip_chars().is_in(self._source.missing)
        counts = table.select(filled.sum()).row(0, named=True) if self._undeclared else {}
        return {column: count for column, count in counts.items() if count}

    def points(self, table: pl.DataFrame, recorded: int, name: str) -> tuple[pl.DataFrame, list[RefusedCell]]:
        """Values as rows for the checks, in the order of lines; and what was refused."""
        table = table.with_columns(_time(self._source.time).alias("time of row"), self._entity().alias("entity of row"))
        refused = self._refused_lines(table)
        if self._known is not None:
            table = table.filter(pl.col("entity of row").is_in(list(self._known)))
        table = table.filter(pl.col("time of row").is_not_null(), pl.col("entity of row") != "")
        parts = [pl.DataFrame(schema=checks.POINT_SCHEMA)]
        for property, value in self._source.values.items():
            raw = table[value.column].str.strip_chars()
            number = raw.cast(pl.Float64, strict=False)
            present = ~raw.is_in(self._source.missing)
            taken = present & number.is_finite().fill_null(False)
            refused += self._refused_cells(table, value.column, raw, number, present & ~taken)
            good = table.filter(taken)
            # By numpy: polars divides by a constant as a product with its inverse, and 330 cm would not be 3.3 m.
            converted = convert(number.filter(taken).to_numpy(), value.unit, self._declared[property].unit)
            zeroed = pl.Series("value", converted + 0.0)  # -0.0 and 0.0 are one value
            part = good.select(
                entity="entity of row",
                property=pl.lit(property),
                source=pl.lit(name),
                seq=_LINE,
                at=pl.col("time of row").dt.epoch("us"),
                received=recorded + pl.col(_LINE),
            ).with_columns(zeroed)
            parts.append(part.join(self._limits, on="property", how="left").select(*checks.POINT_SCHEMA))
        return pl.concat(parts).sort("seq", maintain_order=True), refused

    def _entity(self) -> pl.Expr:
        prefix = self._source.entity_prefix
        if self._source.entity_column is None:
            return pl.lit(prefix)
        station = pl.col(self._source.entity_column)
        slug = station.str.strip_chars().str.to_lowercase().str.replace_all(_NOT_SLUG.pattern, "-").str.strip_chars("-")
        return pl.when(slug == "").then(pl.lit("")).otherwise(pl.lit(prefix) + slug)

    def _refused_lines(self, table: pl.DataFrame) -> list[RefusedCell]:
        time = ", ".join(self._source.time.columns)
        refused = [
            _refused(Problem("BAD_TIME", "", shown := " ".join(row[:-1]), shown), row[-1], time)
            for row in table.filter(pl.col("time of row").is_null()).select(*self._source.time.columns, _LINE).rows()
        ]
        column = self._source.entity_column or ""
        strange = pl.col("entity of row") == ""
        if self._known is not None:
            strange = strange | ~pl.col("entity of row").is_in(list(self._known))
        for entity, line in table.filter(strange).select("entity of row", _LINE).rows():
            refused.append(_refused(Problem("UNKNOWN_DEVICE", "", entity, entity or "—"), line, column))
        return refused

    def _refused_cells(
        self, table: pl.DataFrame, column: str, raw: pl.Series, number: pl.Series, bad: pl.Series
    ) -> list[RefusedCell]:
        lines, texts, numbers = table[_LINE].filter(bad), raw.filter(bad), number.filter(bad)
        return [
            _refused(Problem("NOT_A_NUMBER" if value is None else "NOT_FINITE", "", text, text), line, column)
            for line, text, value in zip(lines, texts, numbers, strict=True)
        ]


def _time(declared: SourceTime) -> pl.Expr:
    """The row's time in UTC; null where it cannot be read, or where local clocks skip or repeat it."""
    columns = [pl.col(column).str.strip_chars() for column in declared.columns]
    if declared.format is not None:
        text, form = pl.concat_str(columns, separator=" "), declared.format
    else:
        year, month, day, hour, minute = [*columns, pl.lit("0"), pl.lit("0")][:5]
        text = pl.format(
            "{}-{}-{} {}:{}", year, *(part.str.zfill(2) for part in (month, day, hour, minute))
        )  # fmt: skip
        form = _CLOCK_FORMAT
    local = text.str.to_datetime(form, time_unit="us", strict=False, ambiguous="null")
    zoned = local.dt.replace_time_zone(declared.zone, ambiguous="null", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _text(raw: IO[bytes], path: Path) -> IO[str]:
    unpacked: IO[bytes] = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw  # type: ignore[assignment]
    return io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="replace", newline="")


def _header(lines: Iterator[list[str]], source: Source, path: Path) -> list[str]:
    try:
        header = [column.strip() for column in next(lines)]
    except (StopIteration, csv.Error) as problem:
        raise SourceRefused(path=path.name, source=source.id, problem="there is no header line") from problem
    except (OSError, EOFError) as problem:
        raise SourceRefused(path=path.name, source=source.id, problem=str(problem)) from problem
    if len(set(header)) < len(header):
        raise SourceRefused(path=path.name, source=source.id, problem="a column's name stands twice in the header")
    return header


Chunk = tuple[list[int], list[list[str]], list[RefusedCell]]


def _chunks(lines: Iterator[list[str]], header: list[str], most: int) -> Iterator[Chunk]:
    """(line numbers, cells, broken lines) of some rows at a time. A line without the header's columns is refused."""
    reader = lines  # csv.reader; its line_num is the physical line, also after quoted line breaks
    numbers: list[int] = []
    cells: list[list[str]] = []
    broken: list[RefusedCell] = []
    while True:
        try:
            row = next(lines)
        except StopIteration:
            break
        except csv.Error as problem:
            broken.append(_refused(Problem("MALFORMED", "", "", str(problem)), _line(reader), ""))
            continue
        except (OSError, EOFError) as problem:  # a damaged .gz: keep what was read
            broken.append(_refused(Problem("MALFORMED", "", "", str(problem)), _line(reader), ""))
            break
        if len(row) == len(header):
            numbers.append(_line(reader))
            cells.append(row)
        elif row:
            detail = f"{len(row)} cells, the header has {len(header)}"
            broken.append(_refused(Problem("MALFORMED", "", ",".join(row), detail), _line(reader), ""))
        if len(numbers) + len(broken) >= most:
            yield numbers, cells, broken
            numbers, cells, broken = [], [], []
    if numbers or broken:
        yield numbers, cells, broken


def _line(reader: object) -> int:
    return int(getattr(reader, "line_num", 0))


def _refused(problem: Problem, line: int, column: str) -> RefusedCell:
    told = set_aside(problem, 0, "", None)
    return RefusedCell(
        line, column, cut(told.raw, 80), told.code, told.reason_zh, told.reason_en, told.hint_zh, told.hint_en
    )
