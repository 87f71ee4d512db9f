"""A backup put into an empty place: all of it is right, or nothing is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from nacl.public import PrivateKey

from zhiwan.city.files import private_file
from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable
from zhiwan.run.backups import keys as apart
from zhiwan.run.backups.archive import BackupDamaged, read_head, unpack
from zhiwan.run.backups.making import DUMP, admin_url, describe
from zhiwan.run.embedded.postgres import EmbeddedPostgres, binaries

Say = Callable[[str], None]
RESTORED = "restored.json"


class PlaceNotEmpty(InputRefused):
    """A restore never writes over something."""

    code = "BACKUP-006"
    fact = "{data} is not empty"
    detail = "A backup is restored into a new folder only, so that nothing can be lost by it."
    hint = "Name a folder that is not there yet: zhiwan restore … --data DIR, then bin/up --data DIR"


class NotAsItWas(InputRefused):
    """The restored database is not the one that was copied."""

    code = "BACKUP-007"
    fact = "what was restored differs from what was copied"
    detail = "{differences}"
    hint = "Keep the archive, and take another backup; nothing was left in the new place."


class RestoreUnderWay(InputRefused):
    """Somebody else restores there, or did until the machine stopped."""

    code = "BACKUP-009"
    fact = "{staging} is there already"
    detail = "Another restore into this place is under way, or one was cut off."
    hint = "Wait for it; if there is none, remove that folder and run this again."


class NotRestored(PartUnavailable):
    """The disk, mostly."""

    code = "BACKUP-010"
    fact = "nothing could be restored into {data}"
    detail = "{why}"
    hint = "Make room (the place needs about three times the archive's size), and run it again; nothing was left."


def open_keys(archive: Path, key_file: Path, recovery: PrivateKey) -> apart.Keys:
    """The keys of this archive. Raises KeyRefused, BackupDamaged."""
    keys = apart.unseal(key_file, recovery)
    head = read_head(archive)
    if head.id != keys.id:
        raise apart.KeyRefused(path=key_file, why=f"It opens the backup {keys.id}; this one is {head.id}")
    return keys


def verify(archive: Path, keys: apart.Keys) -> dict[str, Any]:
    """Read it to the end without restoring; its manifest. Raises BackupDamaged."""
    return unpack(archive, keys.data_key, None)


def restore(archive: Path, keys: apart.Keys, data: Path, *, say: Say = print) -> dict[str, Any]:
    """Into `data`, which must not be there or be empty; the manifest. The place is stopped: bin/up starts it."""
    data = data.resolve()
    if data.exists() and any(data.iterdir()):
        raise PlaceNotEmpty(data=data)
    staging = data.with_name(f".{data.name}.restoring")
    if staging.exists():
        raise RestoreUnderWay(staging=staging)
    try:
        staging.mkdir(parents=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        say("reading and checking …")
        manifest = unpack(archive, keys.data_key, staging)
        if not (staging / DUMP).exists():
            raise BackupDamaged(path=archive, why="It holds no database")
        private_file(staging / "secret.key", keys.secret_key)
        _restore_database(staging, manifest, say)
        (staging / DUMP).unlink()
        _spread(staging)
        for name in manifest.get("dropped", ()):
            shutil.rmtree(staging / name, ignore_errors=True)
        if differences := compare_lakes(manifest["lakes"], staging):
            raise NotAsItWas(differences="; ".join(differences[:10]))
        # The audit of the new place tells of it at its first start (run/prepare.py).
        told = {"id": keys.id, "made_at": manifest["made_at"], "restored_at": datetime.now(UTC).isoformat()}
        private_file(staging / RESTORED, json.dumps(told))
        if data.exists():
            data.rmdir()
        staging.rename(data)
    except BaseException as problem:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(problem, OSError):
            raise NotRestored(data=data, why=problem) from problem
        raise
    say(f"restored into {data}; start it with: bin/up --data {data}")
    return manifest


def _restore_database(place: Path, manifest: dict[str, Any], say: Say) -> None:
    server = EmbeddedPostgres(place)
    server.start()
    try:
        say("database …")
        url = admin_url(place)
        command = [
            binaries() / "pg_restore",
            "--exit-on-error",
            "--single-transaction",
            f"--dbname={url}",
            place / DUMP,
        ]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotAsItWas(differences=done.stderr.strip()[-500:])
        with psycopg.connect(url) as connection:
            if differences := compare(manifest["database"], describe(connection)):
                raise NotAsItWas(differences="; ".join(differences[:10]))
    finally:
        server.stop()


def compare(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Where two descriptions of a database differ, in words."""
    told = []
    for name in sorted(wanted["rows"].keys() | found["rows"].keys()):
        there, here = wanted["rows"].get(name), found["rows"].get(name)
        if there != here:
            told.append(f"{name}: {there} rows were copied, {here} restored")
        elif wanted["content"].get(name) != found["content"].get(name):
            told.append(f"{name}: the content of its rows differs")
    for chain in sorted(wanted["audit"].keys() | found["audit"].keys()):
        if list(wanted["audit"].get(chain) or ()) != list(found["audit"].get(chain) or ()):
            told.append(f"audit chain {chain}: its head differs")
    if wanted["newest_reading"] != found["newest_reading"]:
        told.append(f"newest reading: {wanted['newest_reading']} was copied, {found['newest_reading']} restored")
    return told


def compare_lakes(wanted: dict[str, dict[str, int]], place: Path) -> list[str]:
    """Lake tables that do not open at the version that was copied, or miss files, in words."""
    told = []
    for lake, tables in wanted.items():
        for name, version in tables.items():
            try:
                table = DeltaTable(str(place / lake / name))
                missing = [path for path in table.file_uris() if not Path(path).exists()]
            except (DeltaError, OSError) as problem:
                told.append(f"{lake}/{name}: it cannot be opened ({str(problem).strip()[:200]})")
                continue
            if table.version() != version:
                told.append(f"{lake}/{name}: version {version} was copied, {table.version()} restored")
            elif missing:
                told.append(f"{lake}/{name}: {len(missing)} of its files are missing")
    return told


def _spread(place: Path) -> None:
    """Files of the data folder back to where they were."""
    folder = place / "files"
    for path in sorted(folder.iterdir()) if folder.exists() else ():
        path.rename(place / path.name)
    shutil.rmtree(folder, ignore_errors=True)


def told_json(manifest: dict[str, Any]) -> str:
    """A manifest for people: without the long list of files."""
    short = {key: value for key, value in manifest.items() if key != "files"}
    return json.dumps({**short, "files": len(manifest.get("files", {}))}, ensure_ascii=False, indent=1)
