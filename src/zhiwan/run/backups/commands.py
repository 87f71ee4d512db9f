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
    data: Data = DEFAULT_DATA,
) -> None:
    """Copy a running Zhiwan: database, lake, files; sealed, with the key apart."""
    if context.invoked_subcommand is not None:
        return
    if to is None or keys_to is None:
        raise typer.BadParameter("say where to: --to DIR --keys-to DIR (not the same folder, best not the same disk)")
    if to.resolve() == keys_to.resolve():
        raise typer.BadParameter("--keys-to must be another folder than --to: who has both opens the backup")
    make_django_ready(data)
    from zhiwan.run.backups.making import make_backup, remove

    _require("backup.make")
    made = make_backup(data, to, keys_to, say=typer.echo, stream_ends=_stream_ends)
    try:
        _record("backup.make", f"backup:{made.id}", {"megabytes": round(made.bytes / 1e6, 1)})
    except BaseException:
        remove(made)  # no copy of everything that nobody knows of
        raise
    typer.echo(f"its key, sealed to the recovery key: {made.key_file}")


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
    key_file: KeyFile,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a backup unreadable for good by destroying its key."""
    make_django_ready(data)
    from zhiwan.run.backups.keys import destroy as destroy_key
    from zhiwan.run.backups.keys import id_of

    # The receipt first: a key that is gone without one could not be told from one that was lost.
    id = id_of(key_file)
    _record("backup.destroy", f"backup:{id}", {"reason": reason[:200]})
    destroy_key(key_file)
    typer.echo(f"the key of backup {id} is destroyed; copies of {key_file.name} elsewhere have to be destroyed there")


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
    from zhiwan.run.backups.drill import report_text, run_drill
    from zhiwan.run.backups.starting import until_healthy

    _require("backup.drill")
    public = _public_key()
    found = run_drill(
        data,
        say=typer.echo,
        check_audit=lambda place, url: check_audit(place, url, public),
        start=until_healthy if start else None,
        stream_ends=_stream_ends,
    )
    _record("backup.drill", "backup:drill", {"held": found.held, "rto_seconds": found.rto_seconds})
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


def _stream_ends(streams: list[str]) -> dict[str, int]:
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
    from django.conf import settings
    from django.db import OperationalError

    from zhiwan.city.people.acting import acting_system
    from zhiwan.run.backups.making import DatabaseNotHere

    try:
        with acting_system("cli"):
            yield
    except OperationalError as problem:
        raise DatabaseNotHere(data=settings.ZHIWAN_DATA, why=str(problem).strip().splitlines()[0]) from problem
