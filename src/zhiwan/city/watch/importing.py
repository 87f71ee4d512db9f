"""Measured history from files into the lake, with what the packs derive from it.

    find_source(id) -> (global id, Source)
    import_file(id, source, file, now=, create_entities=, refused=, tell=) -> Outcome
    roll_up()                                       once after the last file

A file is known by its content: importing it again changes nothing, and an interrupted import goes on where it
stopped. History opens no alarm and touches no latest value; live doors take recent data only. The caller acts as a
process (`zhiwan import` or a job).
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

from zhiwan.city.files import private_file
from zhiwan.city.packs_loaded import book, lake, packs, place, region
from zhiwan.city.people.acting import Process, acting_system
from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities
from zhiwan.city.registry.models import Entity
from zhiwan.city.watch.import_record import ImportRecord
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.judge.history import HistoryDeriver
from zhiwan.kernel.packs.models import Source
from zhiwan.kernel.sense.imports import CsvChunk, RefusedCell, read_csv_source

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
    refused: Path | None = None,
    process: Process = "cli",
    tell: Callable[[float], None] = lambda part: None,
) -> Outcome:
    """One file into the lake: its readings and what is derived from them, chunk by chunk."""
    began = time.monotonic()
    outcome = Outcome(file)
    name = content_hash(source, file)
    record_file = data_folder() / f"{name}.json"
    record = ImportRecord.read(record_file, file=file.name, source=id)
    known = known_entities(source.type, process)
    run = record.next_run(known, create=create_entities)
    if run is None:
        outcome.before = True
        return outcome
    record.write(record_file)
    app = f"import:{id}:{name}:{len(record.runs)}"
    wanted = None if run.stations is None else set(run.stations)
    deriver = HistoryDeriver(book(), packs().parameters, region(), source.type)
    with RefusedFile(refused or data_folder() / f"{file.name}.refused.csv") as told_of:
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
            register(source, set(chunk.frame["entity"].unique()) - known, process)
            known |= set(chunk.frame["entity"].unique())
            derived = deriver.derive(chunk.frame, recorded_at=now)
            # Version = number of the chunk: what was appended before an interruption is dropped, the rest goes on.
            lake().import_history(pl.concat([chunk.frame, derived]), app, number)
            told = [cell for cell in chunk.refused if cell.code != "UNKNOWN_DEVICE" or record.asked(cell.raw)]
            told_of.write(told)
            count(outcome, chunk, told, derived.height)
            tell(chunk.part)
    record.finish(outcome.unknown)
    record.write(record_file)
    outcome.seconds = time.monotonic() - began
    return outcome


def roll_up() -> None:
    """Hourly and daily figures of what was imported. Compacted first: months are faster from few files than many."""
    lake().compact()
    lake().roll_up()


def content_hash(source: Source, file: Path) -> str:
    """What is imported: the file's bytes as this source reads them. A corrected source imports anew."""
    digest = hashlib.sha256(source.model_dump_json().encode())
    with file.open("rb") as content:
        for block in iter(lambda: content.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:32]


def known_entities(type: str, process: Process) -> set[str]:
    with acting_system(process):
        return set(Entity.objects.filter(type=type).values_list("id", flat=True))


def register(source: Source, ids: set[str], process: Process) -> None:
    """Entities of the whole district (a file says no place), each with a device so that it can report live later."""
    if not ids:
        return
    drafts = [EntityDraft(id=id, type=source.type, name=id, name_en=id, area=place().code) for id in sorted(ids)]
    with acting_system(process):
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
