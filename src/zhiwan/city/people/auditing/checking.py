"""Checks the audit of this database, or of an export, against itself and the signed heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from zhiwan.city.people.acting import Process, acting_system
from zhiwan.city.people.auditing import reading
from zhiwan.city.people.auditing.exporting import open_export
from zhiwan.city.people.auditing.signing import read_signed
from zhiwan.kernel.guard.check import Checker, Report
from zhiwan.kernel.guard.findings import Finding
from zhiwan.kernel.guard.heads import Signed

Tell = Callable[[int, int], None]  # (records read, records there were when it began)


def check_database(
    *, process: Process, tell: Tell = lambda done, total: None, heads: Path | None = None, keys: Iterable[str] = ()
) -> Report:
    """Every record of the database. `heads`: another folder or file of signed heads than the configured one."""
    while True:
        signed = read_signed(heads, keys)
        with acting_system(process):
            named, months, line = reading.heads_now(), reading.month_names(), reading.signed_line()
            sealed = reading.sealed_by_record()
        _compare_lines(signed, line)
        told = signed if signed.lines or line else None
        checker = Checker(heads=named, signed=told, sealed=sealed, months=months)
        total = sum(head.seq for head in named.values())
        after = ("", 0)
        while True:
            with acting_system(process):
                batch = reading.batch(after)
                if not batch:
                    let_go = months - reading.month_names()
                    break
            for one in batch:
                checker.take(one)
            after = batch[-1].entry.chain, batch[-1].entry.seq
            tell(checker.records, total)
        if not let_go:
            return checker.finish()
        # A month was let go while this was reading: what it found missing may be sealed by now.


def check_export(path: Path, *, heads: Path | None = None, keys: Iterable[str] = ()) -> Report:
    """Every record of a file that `zhiwan audit export` wrote: no database is asked. Raises NotAnExport, NotARecord."""
    export = open_export(path)
    signed = read_signed(heads, keys)
    _compare_lines(signed, export.signed_line if signed.lines else 0)
    told = signed if signed.lines else None
    checker = Checker(heads=export.heads, signed=told, sealed=export.sealed, months=export.months)
    for one in export.links():
        checker.take(one)
    return checker.finish()


def _compare_lines(signed: Signed, known: int) -> None:
    """The file must not end before the line that the database knows of."""
    if signed.last < known:
        signed.findings.append(Finding("lines_cut", first=signed.last, last=known))
