"""`zhiwan import`: measured history from files into the lake, with what the packs derive from it.

A file is known by its content: importing it again changes nothing, and an interrupted import goes on where it
stopped. History opens no alarm and touches no latest value; live doors take recent data only.
"""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime
from pathlib import Path

import polars as pl
from django.conf import settings
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from zhiwan.city.packs_loaded import book, lake, packs, place, region
from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities
from zhiwan.city.registry.models import Entity
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.judge.history import HistoryDeriver
from zhiwan.kernel.packs.models import Source
from zhiwan.kernel.sense.imports import CsvChunk, RefusedCell, read_csv_source
from zhiwan.run.embedded.child import private_file
from zhiwan.run.import_record import ImportRecord

#: Rows of the file per append: one station's four years of hours stay together, so the lake gets few, large files.
CHUNK_ROWS = 50_000


class NoSuchSource(InputRefused):
    """A source id that no pack declares."""

    code = "IMPORT-001"
    fact = 'no pack declares the source "{id}"'
    detail = "Declared: {known}."
    hint = "Name one of these; a source is declared in a pack's sources.yml."


@dataclass
class Outcome:
    """What became of one file."""

    file: Path
    rows: int = 0
    values: int = 0
    derived: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)
    before: bool = False  # its content had been imported already
    seconds: float = 0.0


def run_import(source_id: str, files: Sequence[Path], *, create_entities: bool) -> int:
    """Imports files one after the other; 1 when something of them was refused."""
    console = Console()
    id, source = find_source(source_id)
    outcomes = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
        console=console,
    ) as progress:  # fmt: skip
        for file in files:
            task = progress.add_task(file.name, total=1.0)
            outcomes.append(
                import_file(
                    id,
                    source,
                    file,
                    now=timezone.now(),
                    create_entities=create_entities,
                    tell=lambda part, task=task: progress.update(task, completed=part),  # type: ignore[misc]
                )
            )
            progress.update(task, completed=1.0)
        if any(not outcome.before for outcome in outcomes):
            task = progress.add_task("hourly and daily figures", total=None)
            lake().compact()  # first: figures are made month by month, from few files faster than from many
            lake().roll_up()
            progress.update(task, total=1.0, completed=1.0)
    print_outcomes(console, outcomes)
    return 1 if any(outcome.refused for outcome in outcomes) else 0


def find_source(id: str) -> tuple[str, Source]:
    """A source by its global id (life.air.beijing_hourly), or by its own where that is clear."""
    declared = {f"{pack.id}.{source.id}": source for pack, source in packs().sources}
    found = [name for name in declared if name == id] or [name for name in declared if name.endswith(f".{id}")]
    if len(found) != 1:
        raise NoSuchSource(id=id, known=", ".join(sorted(declared)) or "none")
    return found[0], declared[found[0]]


def import_file(
    id: str,
    source: Source,
    file: Path,
    *,
    now: datetime,
    create_entities: bool,
    tell: Callable[[float], None] = lambda part: None,
) -> Outcome:
    """One file into the lake: its readings and what is derived from them, chunk by chunk."""
    began = time.monotonic()
    outcome = Outcome(file)
    name = content_hash(source, file)
    record_file = data_folder() / f"{name}.json"
    record = ImportRecord.read(record_file, file=file.name, source=id)
    known = known_entities(source.type)
    run = record.next_run(known, create=create_entities)
    if run is None:
        outcome.before = True
        return outcome
    record.write(record_file)
    app = f"import:{id}:{name}:{len(record.runs)}"
    wanted = None if run.stations is None else set(run.stations)
    deriver = HistoryDeriver(book(), packs().parameters, region(), source.type)
    with RefusedFile(data_folder() / f"{file.name}.refused.csv") as refused:
        chunks = read_csv_source(
            source,
            file,
            packs().type(source.type),
            recorded_at=now,
            name=f"import:{id}",
            known=wanted,
            chunk_rows=CHUNK_ROWS,
        )
        for number, chunk in enumerate(chunks):
            register(source, set(chunk.frame["entity"].unique()) - known)
            known |= set(chunk.frame["entity"].unique())
            derived = deriver.derive(chunk.frame, recorded_at=now)
            # Version = number of the chunk: what was appended before an interruption is dropped, the rest goes on.
            lake().import_history(pl.concat([chunk.frame, derived]), app, number)
            told = [cell for cell in chunk.refused if cell.code != "UNKNOWN_DEVICE" or record.asked(cell.raw)]
            refused.write(told)
            count(outcome, chunk, told, derived.height)
            tell(chunk.part)
    record.finish(outcome.unknown)
    record.write(record_file)
    outcome.seconds = time.monotonic() - began
    return outcome


def content_hash(source: Source, file: Path) -> str:
    """What is imported: the file's bytes as this source reads them. A corrected source imports anew."""
    digest = hashlib.sha256(source.model_dump_json().encode())
    with file.open("rb") as content:
        for block in iter(lambda: content.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:32]


def known_entities(type: str) -> set[str]:
    with acting_system("cli"):
        return set(Entity.objects.filter(type=type).values_list("id", flat=True))


def register(source: Source, ids: set[str]) -> None:
    """Entities of the whole district (a file says no place), each with a device so that it can report live later."""
    if not ids:
        return
    drafts = [EntityDraft(id=id, type=source.type, name=id, name_en=id, area=place().code) for id in sorted(ids)]
    with acting_system("cli"):
        save_entities(drafts=drafts)
        made = create_devices(pairs=[(id, id) for id in sorted(ids)])
    file = Path(settings.ZHIWAN_DATA) / "secrets" / "imported-devices.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    private_file(file, json.dumps(before | made, indent=1))


def count(outcome: Outcome, chunk: CsvChunk, refused: Sequence[RefusedCell], derived: int) -> None:
    outcome.rows += chunk.rows
    outcome.values += chunk.frame.height
    outcome.derived += derived
    outcome.duplicates += chunk.duplicates
    outcome.extra.update(chunk.extra)
    outcome.refused.update(cell.code for cell in refused)
    outcome.unknown.update(cell.raw for cell in refused if cell.code == "UNKNOWN_DEVICE")


class RefusedFile:
    """Refused lines and cells with reason and next step, beside the data; there is no file when nothing was refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0

    def __enter__(self) -> RefusedFile:
        self._path.unlink(missing_ok=True)
        return self

    def write(self, cells: Sequence[RefusedCell]) -> None:
        if not cells:
            return
        with self._path.open("a", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            if self._rows == 0:
                writer.writerow([one.name for one in fields(RefusedCell)])
            writer.writerows(astuple(cell) for cell in cells)
        self._rows += len(cells)

    def __exit__(self, *_: object) -> None:
        return None


def data_folder() -> Path:
    folder = Path(settings.ZHIWAN_DATA) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def print_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        console.print(_sentence(one), highlight=False, soft_wrap=True)
    if any(one.refused for one in outcomes):
        console.print(f"Refused cells with reason and next step: {data_folder()}/<file>.refused.csv", soft_wrap=True)
    if any(one.unknown for one in outcomes):
        console.print("Stations that are not registered: register them, or import with --create-entities.")


def _sentence(one: Outcome) -> str:
    if one.before:
        return f"{one.file.name}: imported before, nothing changed"
    parts = [f"{one.rows:,} rows", f"{one.values:,} values", f"{one.derived:,} derived", f"{one.seconds:.1f} s"]
    parts += [f"{one.duplicates:,} duplicates"] if one.duplicates else []
    parts += [f"refused {code} {number:,}" for code, number in one.refused.items()]
    parts += [f"undeclared column {column} {number:,}" for column, number in one.extra.items()]
    return f"{one.file.name}: " + ", ".join(parts)
