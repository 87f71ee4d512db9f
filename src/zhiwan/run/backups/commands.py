"""`zhiwan backup`, `zhiwan restore`, `zhiwan drill`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

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
    from zhiwan.run.backups.making import make_backup

    made = make_backup(data, to, keys_to, say=typer.echo)
    _record("backup.make", f"backup:{made.id}", {"megabytes": round(made.bytes / 1e6, 1)})
    typer.echo(f"its key, sealed to the recovery key: {made.key_file}")


@backup_app.command()
def key(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where the secret half goes; take it away.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Make the recovery key that backups are sealed to."""
    make_django_ready(data)
    from zhiwan.run.backups.keys import new_recovery_key

    new_recovery_key(file, data.resolve())
    _record("backup.key", "backup:recovery-key", {})
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

    id = destroy_key(key_file)
    _record("backup.destroy", f"backup:{id}", {"reason": reason[:200]})
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


def drill(data: Data = DEFAULT_DATA) -> None:
    """Make a backup, restore it into an empty place, compare and measure; exit code 1 when something differs."""
    make_django_ready(data)
    from zhiwan.run.backups.drill import report_text, run_drill

    with tempfile.TemporaryDirectory(prefix="zw-heads-") as folder:
        heads = Path(folder) / "heads"
        # The heads that were signed before the copy: the ones signed after it know records that it cannot have.
        source = Path(os.environ.get("ZHIWAN_AUDIT_HEADS") or data / "audit-heads")
        if source.is_dir():
            shutil.copytree(source, heads)
        public = _public_key()
        found = run_drill(data, say=typer.echo, check_audit=lambda place, url: check_audit(place, url, heads, public))
    _record("backup.drill", "backup:drill", {"held": found.held, "rto_seconds": round(found.rto_seconds, 1)})
    typer.echo(report_text(found))
    raise typer.Exit(0 if found.held else 1)


def check_audit(place: Path, url: str, heads: Path, public: str) -> str:
    """What `zhiwan audit verify` finds in a restored place, by the heads of the source; empty when it is whole."""
    words = [sys.executable, "-m", "zhiwan.run.cli", "audit", "verify", "--json", "--data", str(place)]
    if heads.is_dir():
        words += ["--heads", str(heads), "--key", public]
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


def _public_key() -> str:
    from zhiwan.city.people.auditing.signing import public_key

    return public_key()


def _record(action: str, subject: str, after: dict[str, object]) -> None:
    from django.utils import timezone

    from zhiwan.city.people import audit, guard
    from zhiwan.city.people.acting import acting_system

    with acting_system("cli"):
        guard.require(action)
        audit.record(action, subject, at=timezone.now(), after=after)
