"""Where the nightly backup goes, and how the last night went: two private files of the data folder.

They are the machine's, not the city's: a copy that is restored elsewhere must not write over the backups of here.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, Field, ValidationError

from zhiwan.city.files import private_file
from zhiwan.kernel.facts.declared import Declared

Told = TypeVar("Told", bound=Declared)
PLAN, NIGHT = "backup-plan.json", "nightly.json"


class BackupPlan(Declared):
    """A backup every night, and how long its key is kept."""

    to: str
    keys_to: str
    keep_days: int = Field(ge=1, le=3650)
    since: AwareDatetime


class Night(Declared):
    """The last round of the night."""

    began_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    problems: list[str] = Field(default_factory=list)


def read_plan(data: Path) -> BackupPlan | None:
    """None where no backup is planned, or the file says nothing that can be used."""
    return _read(data / PLAN, BackupPlan)


def write_plan(data: Path, plan: BackupPlan | None) -> None:
    """None: no backup any more."""
    if plan is None:
        (data / PLAN).unlink(missing_ok=True)
    else:
        private_file(data / PLAN, plan.model_dump_json())


def read_night(data: Path) -> Night | None:
    """None before the first."""
    return _read(data / NIGHT, Night)


def write_night(data: Path, night: Night) -> None:
    private_file(data / NIGHT, night.model_dump_json())


def _read(file: Path, kind: type[Told]) -> Told | None:
    try:
        return kind.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def is_late(plan: BackupPlan, last: datetime | None, now: datetime, hours: int = 26) -> bool:
    """Whether a night went by without a backup."""
    return (now - max(filter(None, (last, plan.since)))).total_seconds() > hours * 3600
