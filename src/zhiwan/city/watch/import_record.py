"""What is known of an imported file: which stations of it are in the lake, and whether a run was cut off.

A run reads some stations of a file: all that were registered when it began, or all there are. Stations refused as
unknown are remembered; once they are registered a later run brings in only them. A run that was cut off is repeated
with the stations it began with, under its old name, so that the lake drops what it has already.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel


class Run(BaseModel):
    """One pass over the file."""

    stations: list[str] | None  # None: every station of the file
    finished: bool = False
    unknown: list[str] = []  # refused because they were not registered


class ImportRecord(BaseModel):
    """`<data>/imports/<name>.json`: the runs of one file, by its content."""

    file: str
    source: str
    runs: list[Run] = []

    @classmethod
    def read(cls, path: Path, *, file: str, source: str) -> ImportRecord:
        if path.exists():
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        return cls(file=file, source=source)

    def write(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=1), encoding="utf-8")

    def next_run(self, known: Collection[str], *, create: bool) -> Run | None:
        """The run to make now, already on the record; None when the lake has all there is to have."""
        if self.runs and not self.runs[-1].finished:
            return self.runs[-1]
        if not self.runs:
            run = Run(stations=None if create else sorted(known))
        else:
            missing = [station for station in self.runs[-1].unknown if create or station in known]
            if not missing:
                return None
            run = Run(stations=missing)
        self.runs.append(run)
        return run

    def asked(self, station: str) -> bool:
        """Whether the last run is about this station; one that an earlier run brought in is not."""
        return len(self.runs) == 1 or station in self.runs[-2].unknown

    def finish(self, unknown: Collection[str]) -> None:
        """Closes the last run with the stations that are still unknown."""
        self.runs[-1].unknown = sorted(unknown)
        self.runs[-1].finished = True
