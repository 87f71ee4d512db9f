"""Imports of history that a person asked for: the file is kept, a job reads it, its state is told while it runs.

start_import(source_id, content, name, create_entities, at) -> str     guarded, audited; the id of the run
do_import(id)                                                          the job
import_runs() -> list[ImportRun]        import_run(id) -> ImportRun | None        refused_rows(id) -> rows

A run is a file of the data folder and not a table: its state changes several times a second while the job's own
transactions come and go, and a web process must see it at once.
"""

from __future__ import annotations

import csv
import gzip
import re
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel

from zhiwan.city.files import private_file
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import LIVE
from zhiwan.city.watch.follow_up import defer
from zhiwan.city.watch.importing import Outcome, data_folder, find_source, import_file, roll_up
from zhiwan.kernel.facts.errors import CityError, InputRefused

IMPORT_HISTORY = "zhiwan.watch.import_history"
MOST_BYTES = 256 * 1024 * 1024
MOST_UNPACKED = 4 * 1024 * 1024 * 1024
MOST_LINE = 1024 * 1024
KEPT_RUNS = 50
_ID = re.compile(r"[0-9]{14}-[0-9a-f]{8}")


class FileRefused(InputRefused):
    """A history file that is not read at all."""

    code = "IMPORT-002"
    fact = "the file {name} is not read: {problem_en}"
    hint = "{advice_en}."


class ImportRun(BaseModel):
    """One file on its way into the history."""

    id: str
    source: str
    file: str
    create_entities: bool
    by: str
    at: datetime
    state: Literal["waiting", "running", "done", "refused", "failed"] = "waiting"
    part: float = 0.0
    rows: int = 0
    values: int = 0
    derived: int = 0
    duplicates: int = 0
    before: bool = False
    refused: dict[str, int] = {}
    extra: dict[str, int] = {}
    unknown: list[str] = []
    seconds: float = 0.0
    problem: dict[str, str] = {}  # code, fact, detail, hint of a refusal, with the values of its sentence

    @property
    def percent(self) -> int:
        return int(self.part * 100)

    @property
    def under_way(self) -> bool:
        return self.state in ("waiting", "running")

    @property
    def refused_total(self) -> int:
        return sum(self.refused.values())


def start_import(
    *, source_id: str, content: Iterable[bytes], name: str, create_entities: bool, at: datetime | None = None
) -> str:
    """Keep the file and ask for its import. Raises NoSuchSource, FileRefused."""
    actor = guard.require("history.import")
    if actor.space != LIVE:
        raise _refused(
            Path(name).name[:120],
            "推演中不导入历史",
            "a story takes no history",
            "请回到实况后再导入",
            "Return to live",
        )
    now = at or timezone.now()
    id_, _ = find_source(source_id)
    run = ImportRun(
        id=f"{now:%Y%m%d%H%M%S}-{secrets.token_hex(4)}",
        source=id_,
        file=Path(name).name[:120],
        create_entities=create_entities,
        by=actor.name,
        at=now,
    )
    _keep(run, content)
    try:
        with transaction.atomic():
            audit.record("history.import", f"import:{run.id}", at=now, after={"source": id_, "file": run.file})
            defer(IMPORT_HISTORY, run_id=run.id)
    except Exception:
        _forget(run.id)
        raise
    _write(run)
    for old in import_runs()[KEPT_RUNS:]:
        if not old.under_way:
            _forget(old.id)
    return run.id


def do_import(*, run_id: str) -> None:
    """Read the file into the lake. Asked again after a crash it goes on where it stopped."""
    run = import_run(run_id)
    if run is None or run.state in ("done", "refused"):
        return
    run.state = "running"
    _write(run)
    file = _file(run_id)
    shown = 0.0

    def tell(part: float) -> None:
        nonlocal shown
        if part - shown >= 0.01:
            shown = run.part = part
            _write(run)

    try:
        _measure(file, run.file)
        id_, source = find_source(run.source)
        outcome = import_file(
            id_,
            source,
            file,
            now=timezone.now(),
            create_entities=run.create_entities,
            refused=_folder() / f"{run_id}.refused.csv",
            process="jobs",
            tell=tell,
        )
        if not outcome.before:
            roll_up()
        _finish(run, outcome)
    except CityError as problem:
        run.state = "refused"
        values = {key: str(value) for key, value in problem.values.items() if key != "path"}
        run.problem = {**values, **problem.as_dict()}
    except Exception as problem:
        run.state = "failed"
        run.problem = {"code": "IMPORT-003", "fact": type(problem).__name__}
        raise
    finally:
        _write(run)
        if run.state != "failed":
            file.unlink(missing_ok=True)


def _finish(run: ImportRun, outcome: Outcome) -> None:
    run.state, run.part = "done", 1.0
    run.rows, run.values, run.derived = outcome.rows, outcome.values, outcome.derived
    run.duplicates, run.before, run.seconds = outcome.duplicates, outcome.before, outcome.seconds
    run.refused, run.extra = dict(outcome.refused), dict(outcome.extra)
    run.unknown = sorted(outcome.unknown)[:200]


def import_runs() -> list[ImportRun]:
    """All runs that are kept, the newest first."""
    found = (import_run(path.stem) for path in sorted(_folder().glob("*.json"), reverse=True))
    return [run for run in found if run is not None]


def import_run(id: str) -> ImportRun | None:
    """One run; None when there is none of this id."""
    if _ID.fullmatch(id) is None:
        return None
    try:
        return ImportRun.model_validate_json((_folder() / f"{id}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def refused_rows(id: str, most: int = 50_000) -> Iterator[list[str]]:
    """The refused cells of a run with their header; nothing when all was taken."""
    file = _folder() / f"{id}.refused.csv"
    if _ID.fullmatch(id) is None or not file.exists():
        return
    with file.open(encoding="utf-8", newline="") as handle:
        for number, row in enumerate(csv.reader(handle)):
            if number > most:
                return
            yield row


def _keep(run: ImportRun, content: Iterable[bytes]) -> None:
    """The upload as a file of our own name; whether it is packed is seen from its first bytes."""
    path = _folder() / f"{run.id}.upload"
    size, first = 0, b""
    try:
        with path.open("wb") as handle:
            for block in content:
                first = first or block[:4]
                size += len(block)
                if size > MOST_BYTES:
                    raise _refused(
                        run.file, f"超过 {MOST_BYTES >> 20} MB", f"it is larger than {MOST_BYTES >> 20} MB",
                        "请压缩为 .csv.gz，或分成几个文件", "Pack it as .csv.gz, or split it",
                    )  # fmt: skip
                handle.write(block)
        if size == 0:
            raise _refused(run.file, "它是空的", "it is empty", "请选择有内容的文件", "Choose a file with content")
        if first.startswith((b"PK", b"\xd0\xcf", b"BZh", b"\xfd7zX")):
            raise _refused(
                run.file, "不是 CSV", "it is no CSV file", "请另存为 CSV 或 .csv.gz", "Save it as CSV or .csv.gz"
            )
        path.replace(_folder() / (f"{run.id}.csv.gz" if first.startswith(b"\x1f\x8b") else f"{run.id}.csv"))
    finally:
        path.unlink(missing_ok=True)


def _measure(path: Path, name: str) -> None:
    """A packed file may hold far more than it weighs, or one endless line: both are seen before anything is read."""
    unpacked = line = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as handle:
            while block := handle.read(1 << 20):
                unpacked += len(block)
                newline = block.find(b"\n")
                line = line + len(block) if newline < 0 else len(block) - 1 - block.rfind(b"\n")
                if unpacked > MOST_UNPACKED or line > MOST_LINE:
                    raise _refused(
                        name, "解压后过大，或一行过长", "it unpacks to too much, or has an endless line",
                        "请检查文件，或分成几个文件", "Look into the file, or split it",
                    )  # fmt: skip
    except (OSError, EOFError) as error:
        raise _refused(name, "压缩文件已损坏", "it is damaged", "请重新压缩", "Pack it again") from error


def _refused(name: str, zh: str, en: str, advice_zh: str, advice_en: str) -> FileRefused:
    return FileRefused(name=name, problem_zh=zh, problem_en=en, advice_zh=advice_zh, advice_en=advice_en)


def _folder() -> Path:
    folder = data_folder() / "runs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _file(id: str) -> Path:
    packed = _folder() / f"{id}.csv.gz"
    return packed if packed.exists() else _folder() / f"{id}.csv"


def _write(run: ImportRun) -> None:
    private_file(_folder() / f"{run.id}.json", run.model_dump_json())


def _forget(id: str) -> None:
    for name in ("json", "csv", "csv.gz", "refused.csv"):
        (_folder() / f"{id}.{name}").unlink(missing_ok=True)
