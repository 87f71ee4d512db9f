"""`zhiwan backup`, `zhiwan restore`, `zhiwan drill`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from zhiwan.kernel.facts.errors import CityError
from zhiwan.run.django_ready import make_django_ready

backup_app = typer.Typer(help="Copies of everything, sealed, with the keys apart.", invoke_without_command=True)
Data = Annotated[Path, typer.Option("--data", help="Data folder of the running Zhiwan.")]
Recovery = Annotated[Path, typer.Option("--recovery-key", exists=True, dir_okay=False, help="The key taken away.")]
Archive = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="zhiwan-….backup")]
KeyFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="zhiwan-….key of the same backup")]
DEFAULT_DATA = Path(".data")


@backup_app.callback()
def backup(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for the archive.")] = None,
    keys_to: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for its key: another disk.")] = None,
    keep_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="The nightly round then destroys its key; without: by hand.")
    ] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Copy a running Zhiwan: database, lake, files; sealed, with the key apart."""
    if context.invoked_subcommand is not None:
        return
    to, keys_to = _two_folders(to, keys_to)
    make_django_ready(data)
    from zhiwan.run.backups.registered import back_up

    with _database_asked():
        made = back_up(data, to, keys_to, keep_days=keep_days, say=typer.echo, stream_ends=stream_ends)
    typer.echo(f"its key, sealed to the recovery key: {made.key_file}")


@backup_app.command()
def plan(
    to: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for the archives.")] = None,
    keys_to: Annotated[Path | None, typer.Option(file_okay=False, help="Folder for the keys: another disk.")] = None,
    keep_days: Annotated[int, typer.Option(min=1, max=3650, help="Then a backup's key is destroyed.")] = 35,
    off: Annotated[bool, typer.Option("--off", help="No backup every night any more.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Say where a backup goes every night, and how long it is kept; without options: what is planned."""
    make_django_ready(data)
    from datetime import UTC, datetime

    from zhiwan.city.keeping.plan import BackupPlan, read_plan, write_plan
    from zhiwan.run.backups.keys import public_key

    if off or to is not None or keys_to is not None:
        wanted = None
        if not off:
            public_key(data.resolve())  # a plan that cannot be carried out is told now, not at night
            archives, keys = map(str, _two_folders(to, keys_to))
            wanted = BackupPlan(to=archives, keys_to=keys, keep_days=keep_days, since=datetime.now(UTC))
        after: dict[str, object] = wanted.model_dump(exclude={"since"}) if wanted else {"off": True}
        _record("backup.plan", "backup:plan", after)
        write_plan(data.resolve(), wanted)
    found = read_plan(data.resolve())
    if found is None:
        typer.echo("no backup is planned: zhiwan backup plan --to DIR --keys-to DIR")
    else:
        typer.echo(f"every night into {found.to}, keys into {found.keys_to}, kept {found.keep_days} days")


@backup_app.command("list")
def list_all(data: Data = DEFAULT_DATA) -> None:
    """What was made, where it was put, and what can still be opened."""
    make_django_ready(data)
    from zhiwan.city.keeping.models import Backup

    with _as_command():
        found = list(Backup.objects.order_by("-made_at"))
    for one in found:
        if one.destroyed_at is not None:
            state = f"destroyed {one.destroyed_at:%Y-%m-%d}: {one.destroyed_why}"
        else:
            state = f"kept until {one.keep_until:%Y-%m-%d}" if one.keep_until else "kept until it is destroyed by hand"
        typer.echo(f"{one.id}  {one.bytes / 1e6:,.1f} MB  {one.archive}  {state}")
    if not found:
        typer.echo("no backup was made yet")


@backup_app.command()
def key(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where the secret half goes; take it away.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Make the recovery key that backups are sealed to."""
    make_django_ready(data)
    from zhiwan.run.backups.keys import new_recovery_key

    _record("backup.key", "backup:recovery-key", {"file": file.name})
    new_recovery_key(file, data.resolve())
    typer.echo(f"{file} opens the backups that are made from now on. Keep it away from this machine, in two places.")


@backup_app.command()
def verify(archive: Archive, key_file: KeyFile, recovery_key: Recovery) -> None:
    """Read a backup to its last byte without restoring it."""
    from zhiwan.run.backups import restoring
    from zhiwan.run.backups.keys import read_recovery_key

    keys = restoring.open_keys(archive, key_file, read_recovery_key(recovery_key))
    typer.echo(restoring.told_json(restoring.verify(archive, keys)))
    typer.echo("whole")


@backup_app.command()
def destroy(
    backup: Annotated[str, typer.Argument(help="The key file of a backup, or its id (zhiwan backup list).")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a backup unreadable for good by destroying its key."""
    make_django_ready(data)
    from zhiwan.run.backups.registered import destroy as destroy_registered

    key_file = Path(backup)
    with _database_asked():
        if not key_file.is_file():
            key_file = _key_file_of(backup)
        id = destroy_registered(key_file, reason)
    typer.echo(f"the key of backup {id} is destroyed; copies of {key_file.name} elsewhere have to be destroyed there")


def _key_file_of(id: str) -> Path:
    """Where the register says that its key was put. Raises KeyRefused."""
    from zhiwan.city.keeping.models import Backup
    from zhiwan.run.backups.keys import KeyRefused

    with _as_command():
        found = Backup.objects.filter(id=id).first()
    if found is None:
        raise KeyRefused(path=id, why="It is no file, and the register knows no backup of this id")
    if not Path(found.key_file).is_file():
        raise KeyRefused(path=found.key_file, why="It is not where it was put; give the file")
    return Path(found.key_file)


def _two_folders(to: Path | None, keys_to: Path | None) -> tuple[Path, Path]:
    if to is None or keys_to is None:
        raise typer.BadParameter("say where to: --to DIR --keys-to DIR (not the same folder, best not the same disk)")
    if to.resolve() == keys_to.resolve():
        raise typer.BadParameter("--keys-to must be another folder than --to: who has both opens the backup")
    return to.resolve(), keys_to.resolve()


def restore(
    archive: Archive,
    key_file: KeyFile,
    recovery_key: Recovery,
    data: Annotated[Path, typer.Option("--data", help="A folder that is not there yet.")],
) -> None:
    """Put a backup into an empty place; bin/up --data DIR then starts it."""
    from zhiwan.run.backups import restoring
    from zhiwan.run.backups.keys import read_recovery_key

    keys = restoring.open_keys(archive, key_file, read_recovery_key(recovery_key))
    restoring.restore(archive, keys, data, say=typer.echo)


def drill(
    data: Data = DEFAULT_DATA,
    start: Annotated[bool, typer.Option(help="Start the restored place too, until it is healthy (RTO).")] = True,
) -> None:
    """Make a backup, restore it into an empty place, compare and measure; exit code 1 when something differs."""
    make_django_ready(data)
    from zhiwan.city.keeping.actions import note_drill
    from zhiwan.city.keeping.models import Drill
    from zhiwan.run.backups.drill import report_text, run_drill
    from zhiwan.run.backups.starting import until_healthy

    _require("backup.drill")
    public = _public_key()
    found = run_drill(
        data,
        say=typer.echo,
        check_audit=lambda place, url: check_audit(place, url, public),
        start=until_healthy if start else None,
        stream_ends=stream_ends,
    )
    with _as_command():
        note_drill(
            drill=Drill(
                at=found.at,
                held=found.held,
                differences=len(found.differences),
                rto_seconds=found.rto_seconds,
                rpo_seconds=found.rpo_seconds,
                megabytes=found.megabytes,
            )
        )
    typer.echo(report_text(found))
    raise typer.Exit(0 if found.held else 1)


def check_audit(place: Path, url: str, public: str) -> str:
    """What `zhiwan audit verify` finds in a restored place, by the signed heads that came along; empty when whole."""
    words = [sys.executable, "-m", "zhiwan.run.cli", "audit", "verify", "--json", "--data", str(place)]
    words += ["--heads", str(place / "audit-heads"), "--key", public]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZHIWAN_NATS")}
    environment |= {
        "ZHIWAN_DATA": str(place),
        "ZHIWAN_DATABASE_URL": url,
        "ZHIWAN_SECRET_KEY_FILE": str(place / "secret.key"),
    }
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode in (0, 3):
        return ""
    try:
        return "; ".join(one["says"] for one in json.loads(done.stdout)["findings"])[:500]
    except (ValueError, KeyError, TypeError):
        return (done.stderr or done.stdout).strip()[-500:]


def stream_ends(streams: list[str]) -> dict[str, int]:
    """The last sequence number of each; of a bus that does not answer, none."""
    from zhiwan.city.packs_loaded import the_bus

    found = {}
    with contextlib.suppress(CityError, OSError, TimeoutError):
        for stream in streams:
            found[stream] = the_bus().last_stored(stream)
    return found


def _public_key() -> str:
    from zhiwan.city.people.auditing.signing import public_key

    return public_key()


def _require(action: str) -> None:
    from zhiwan.city.people import guard

    with _as_command():
        guard.require(action)


def _record(action: str, subject: str, after: dict[str, object]) -> None:
    from django.utils import timezone

    from zhiwan.city.people import audit, guard

    with _as_command():
        guard.require(action)
        audit.record(action, subject, at=timezone.now(), after=after)


@contextlib.contextmanager
def _as_command() -> Iterator[None]:
    """Acting as the command line. Raises DatabaseNotHere."""
    from zhiwan.city.people.acting import acting_system

    with _database_asked(), acting_system("cli"):
        yield


@contextlib.contextmanager
def _database_asked() -> Iterator[None]:
    """Raises DatabaseNotHere where Django's database does not answer."""
    from django.conf import settings
    from django.db import OperationalError

    from zhiwan.run.backups.making import DatabaseNotHere

    try:
        yield
    except OperationalError as problem:
        raise DatabaseNotHere(data=settings.ZHIWAN_DATA, why=str(problem).strip().splitlines()[0]) from problem
