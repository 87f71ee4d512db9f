"""The whole audit as a file that can be checked anywhere: NDJSON, packed where its name ends with .gz.

{"zhiwan_audit": 1, "exported_at": …, "heads": {chain: [seq, hash]}, "months": […], "sealed": {…}, "signed_line": n}
{… one record, with previous and hash …}
…
{"records": n}          a file without its last line was cut
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import Process, acting_system
from zhiwan.city.people.auditing import reading
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.chain import Link, as_json, from_row, instant, read_json, to_row
from zhiwan.kernel.guard.heads import Head, Run, runs_as_json, runs_from_json

VERSION = 1


class NotAnExport(InputRefused):
    """A file that `zhiwan audit export` did not write, or not to its end."""

    code = "AUDIT-009"
    fact = "{file} is no whole export of the audit: {problem}"
    detail = "The first line says what it is, the last how many records it has."
    hint = "Export again with `zhiwan audit export`. If the file was whole once, it was cut or changed."


def export_audit(path: Path, *, process: Process, at: datetime, tell: Callable[[int], None] = lambda done: None) -> int:
    """Write all records to a file that only this account may read; how many. The export is itself recorded."""
    fresh = path.with_name(f".{path.name}.part")
    count = 0
    with acting_system(process):
        guard.require("audit.export")
        audit.record("audit.export", f"file:{path.name[:120]}", at=at)
    with acting_system(process):
        head = {
            "zhiwan_audit": VERSION, "exported_at": instant(at), "signed_line": reading.signed_line(),
            "heads": {chain: [one.seq, one.hash.hex()] for chain, one in reading.heads_now().items()},
            "months": sorted(reading.month_names()), "sealed": runs_as_json(reading.sealed_by_record()),
        }  # fmt: skip
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            with _packed(raw, path) as file:
                file.write(as_json(head) + b"\n")
                after = ("", 0)
                while True:
                    with acting_system(process):
                        batch = reading.batch(after)
                    if not batch:
                        break
                    file.writelines(as_json(to_row(one)) + b"\n" for one in batch)
                    count += len(batch)
                    after = batch[-1].entry.chain, batch[-1].entry.seq
                    tell(count)
                file.write(as_json({"records": count}) + b"\n")
            raw.flush()
            os.fsync(raw.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return count


def _packed(raw: IO[bytes], path: Path) -> AbstractContextManager[IO[bytes]]:
    """A writer that packs where the name asks for it; what is below stays open at its end."""
    if path.suffix == ".gz":
        return cast("AbstractContextManager[IO[bytes]]", gzip.GzipFile(fileobj=raw, mode="wb", filename=""))
    return nullcontext(raw)


@dataclass(frozen=True)
class Export:
    """A file with its first line read."""

    path: Path
    heads: dict[str, Head]
    sealed: dict[str, list[Run]]
    months: frozenset[str]
    signed_line: int

    def links(self) -> Iterator[Link]:
        """All its records. Raises NotARecord, and NotAnExport when the last line does not agree."""
        count, told = 0, None
        for number, row in _rows(self.path):
            if number == 1:
                continue
            if told is not None:
                raise NotAnExport(file=self.path.name, problem="there are lines after the last")
            if isinstance(row, dict) and row.keys() == {"records"}:
                told = row["records"]
                continue
            yield from_row(row, file=self.path.name, line=number)
            count += 1
        if told != count:
            problem = "its last line is missing" if told is None else f"it has {count} records and says {told}"
            raise NotAnExport(file=self.path.name, problem=problem)


def open_export(path: Path) -> Export:
    """Read the first line. Raises NotAnExport."""
    first: Any = next(_rows(path), (1, {}))[1]
    try:
        if first["zhiwan_audit"] != VERSION:
            raise NotAnExport(file=path.name, problem=f"it is of version {first['zhiwan_audit']}")
        heads = {chain: Head(int(seq), bytes.fromhex(hash)) for chain, (seq, hash) in first["heads"].items()}
        sealed = runs_from_json(first["sealed"])
        return Export(path, heads, sealed, frozenset(first["months"]), int(first["signed_line"]))
    except (TypeError, KeyError, ValueError, AttributeError) as problem:
        raise NotAnExport(file=path.name, problem="it does not begin as one") from problem


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield number, read_json(line)
                except ValueError as problem:
                    raise NotAnExport(file=path.name, problem=f"line {number} is no JSON") from problem
    except (OSError, EOFError) as problem:
        raise NotAnExport(file=path.name, problem=problem) from problem
