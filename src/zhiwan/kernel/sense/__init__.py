"""Sense: bytes from outside become observations with quality flags, or are set aside with a reason and a next step.

- decoders/: one module per format; strict, nothing is guessed.
- intake.py: the way of a live message. checks.py: flags and duplicates. memory.py: what is remembered between batches.
- http_rows.py: the same rules at the HTTP door, so that the answer names every refused row.
- imports.py: history from files, past the live doors.
"""

from zhiwan.kernel.sense.checks import remember_again
from zhiwan.kernel.sense.http_rows import BodyRefused, HttpRows, RefusedRow, decode_http_rows
from zhiwan.kernel.sense.imports import CsvChunk, RefusedCell, SourceRefused, entity_slug, read_csv_source
from zhiwan.kernel.sense.intake import DeviceInfo, Intake, Taken
from zhiwan.kernel.sense.memory import IntakeMemory, StateRow
from zhiwan.kernel.sense.reasons import DUPLICATE, REASONS, TAKEN, SetAside

__all__ = [
    "DUPLICATE",
    "REASONS",
    "TAKEN",
    "BodyRefused",
    "CsvChunk",
    "DeviceInfo",
    "HttpRows",
    "Intake",
    "IntakeMemory",
    "RefusedCell",
    "RefusedRow",
    "SetAside",
    "SourceRefused",
    "StateRow",
    "Taken",
    "decode_http_rows",
    "entity_slug",
    "read_csv_source",
    "remember_again",
]
