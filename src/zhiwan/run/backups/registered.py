"""Backups with their place in the register and in the audit: neither is there without the other.

back_up(data, to, keys_to, keep_days)     makes one, enters it
destroy(key_file, id, why)                the receipt, then the key
let_go(now)                               the keys of those that were kept long enough
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from zhiwan.city.keeping.actions import MadeBackup, note_backup, note_destroyed
from zhiwan.city.keeping.models import Backup
from zhiwan.city.people import guard
from zhiwan.city.people.acting import acting_system
from zhiwan.kernel.facts.errors import CityError
from zhiwan.run.backups import keys as apart
from zhiwan.run.backups.making import Made, StreamEnds, make_backup, remove


def back_up(
    data: Path,
    to: Path,
    keys_to: Path,
    *,
    keep_days: int | None,
    say: Callable[[str], None],
    stream_ends: StreamEnds | None = None,
) -> Made:
    """A backup that is in the register. Raises what make_backup raises; then nothing is left of it."""
    with acting_system("cli"):
        guard.require("backup.make")
    made = make_backup(data, to, keys_to, say=say, stream_ends=stream_ends)
    made_at = datetime.fromisoformat(made.manifest["made_at"])
    uncommitted = made.manifest["uncommitted"]
    try:
        with acting_system("cli"):
            note_backup(
                made=MadeBackup(
                    id=made.id,
                    made_at=made_at,
                    bytes=made.bytes,
                    archive=str(made.archive.resolve()),
                    key_file=str(made.key_file.resolve()),
                    uncommitted=None if uncommitted is None else sum(uncommitted.values()),
                    keep_until=made_at + timedelta(days=keep_days) if keep_days else None,
                )
            )
    except BaseException:
        remove(made)  # no copy of everything that nobody knows of
        raise
    return made


def destroy(key_file: Path, why: str) -> str:
    """Make a backup unreadable for good; its id. The receipt first: a key without one looks lost."""
    id = apart.id_of(key_file)
    with acting_system("cli"):
        note_destroyed(id=id, why=why)
    return apart.destroy(key_file)


def let_go(now: datetime, say: Callable[[str], None]) -> list[str]:
    """Destroy the keys of backups past their time and remove the archives; what could not be done, in words."""
    with acting_system("cli"):
        over = list(Backup.objects.filter(destroyed_at=None, keep_until__lte=now).order_by("made_at"))
    problems = []
    for one in over:
        key_file = Path(one.key_file)
        try:
            if not key_file.is_file() or apart.id_of(key_file) != one.id:
                problems.append(f"the key of backup {one.id} is not at {key_file}: destroy it where it is")
                continue
            destroy(key_file, "kept long enough")
            Path(one.archive).unlink(missing_ok=True)
            say(f"backup {one.id} of {one.made_at:%Y-%m-%d} is let go: its key is destroyed")
        except (CityError, OSError) as problem:
            problems.append(f"backup {one.id} could not be let go: {problem}")
    return problems
