"""A consistent picture of a Zhiwan that goes on running.

First the database, in one snapshot; then the lake. The lake may be newer than the database and never older: a batch
leaves the database's outbox only after the lake has it, and what the restored outbox still holds is dropped by the lake
where it has it already. Of a Delta table the log is listed first and the data files after it, while compaction and
vacuum are kept out: every file that a copied log names was there before it.

What a device was acknowledged and the worker had not committed at the snapshot (below a second in a city that keeps up)
is in neither: `uncommitted` in the manifest says how many messages that were.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from nacl.public import PublicKey
from psycopg import sql

from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable
from zhiwan.run.backups import keys as apart
from zhiwan.run.backups.archive import Head, Writer
from zhiwan.run.embedded.postgres import ADMIN, DATABASE, EmbeddedPostgres, binaries

Say = Callable[[str], None]
DUMP = "database.dump"
#: Of the data folder: made anew in another place, or kept apart (the signed heads judge the audit of a restore).
NOT_COPIED = frozenset(
    {"postgres", "nats", "lake", "lakes", "logs", "lock", "secrets", "secret.key", "demo.json", "audit-heads",
     "reports", "sms", "static", "backup.lock"}
)  # fmt: skip


class BackupUnderWay(InputRefused):
    """Two at once would only be slower."""

    code = "BACKUP-004"
    fact = "another backup of {data} is being made"
    detail = "It holds {data}/backup.lock."
    hint = "Wait until it ends."


class DatabaseNotHere(PartUnavailable):
    """The database of this place does not answer on this machine."""

    code = "BACKUP-005"
    fact = "the database of {data} cannot be copied"
    detail = "{why}"
    hint = "Start Zhiwan (bin/up). A PostgreSQL of your own is copied with its own tools."


@dataclass
class Made:
    """One backup."""

    id: str
    archive: Path
    key_file: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    bytes: int = 0


def admin_url(data: Path) -> str:
    """The superuser of the embedded cluster: row security hides nothing from it. Raises DatabaseNotHere."""
    try:
        passwords = json.loads((data / "secrets" / "postgres.json").read_text())
        server = EmbeddedPostgres(data)
        server.socket = _socket_of(data)
        return server.url(ADMIN, passwords[ADMIN])
    except (OSError, ValueError, KeyError) as problem:
        raise DatabaseNotHere(data=data, why=f"{type(problem).__name__}: {problem}") from problem


def _socket_of(data: Path) -> Path:
    for line in (data / "postgres" / "cluster" / "postgresql.conf").read_text().splitlines():
        if line.startswith("unix_socket_directories"):
            return Path(line.split("'")[1])
    raise ValueError("the cluster's configuration names no socket")


def make_backup(data: Path, to: Path, keys_to: Path, *, seal_to: PublicKey | None = None, say: Say = print) -> Made:
    """Write `<to>/zhiwan-<id>.backup` and `<keys_to>/zhiwan-<id>.key`; after an error neither is left."""
    data = data.resolve()
    public = seal_to or apart.public_key(data)
    now = datetime.now(UTC)
    id = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    keys = apart.new_keys(id, data)
    for folder in (to, keys_to):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Made(id, to / f"zhiwan-{id}.backup", keys_to / f"zhiwan-{id}.key")
    part = made.archive.with_suffix(".part")
    with _alone(data):
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                writer = Writer(file, keys.data_key, Head(id, now.isoformat()))
                manifest = {"id": id, "made_at": now.isoformat(), "format": 1}
                manifest |= _database(data, writer, say)
                manifest |= {"lakes": _lakes(data, writer, say)}
                _files(data, writer)
                writer.finish(manifest)
                file.flush()
                os.fsync(file.fileno())
                made.manifest, made.bytes = manifest, file.tell()
            apart.seal(keys, public, made.key_file)
            part.rename(made.archive)
        except BaseException:
            part.unlink(missing_ok=True)
            made.key_file.unlink(missing_ok=True)
            raise
    say(f"{made.archive} ({made.bytes / 1e6:,.1f} MB)")
    return made


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    with (data / "backup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupUnderWay(data=data) from None
        yield


def _database(data: Path, writer: Writer, say: Say) -> dict[str, Any]:
    """The dump and, of the same snapshot, the rows of every table, the audit's heads and the newest reading."""
    url = admin_url(data)
    with tempfile.TemporaryDirectory(dir=data, prefix="backup-") as folder:
        dump = Path(folder) / DUMP
        try:
            with psycopg.connect(url) as connection:
                connection.execute("SET idle_in_transaction_session_timeout = 0")
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
                say("database …")
                command = [binaries() / "pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={dump}", url]
                done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise DatabaseNotHere(data=data, why=done.stderr.strip()[-500:])
                told: dict[str, Any] = {"database": describe(connection), "taken_at": datetime.now(UTC).isoformat()}
        except psycopg.OperationalError as problem:
            raise DatabaseNotHere(data=data, why=str(problem).strip()) from problem
        writer.add(DUMP, dump)
    say(f"database: {sum(told['database']['rows'].values()):,} rows of {len(told['database']['rows'])} tables")
    return told


def describe(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """What a restored database must equal: rows of every table, heads of the audit, the newest reading."""
    names = connection.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
        " ORDER BY c.relname"
    ).fetchall()
    rows = {}
    for (name,) in names:
        found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        rows[name] = found[0] if found else 0
    heads = connection.execute(
        "SELECT chain, seq, encode(hash, 'hex') FROM people_auditchain ORDER BY chain"
    ).fetchall()
    newest = connection.execute("SELECT max(recorded_at) FROM watch_latestvalue").fetchone()
    return {
        "name": DATABASE,
        "rows": rows,
        "audit": {chain: [seq, digest] for chain, seq, digest in heads},
        "newest_reading": newest[0].isoformat() if newest and newest[0] else None,
    }


def _lakes(data: Path, writer: Writer, say: Say) -> dict[str, Any]:
    told = {}
    for lake in [data / "lake", *sorted((data / "lakes").glob("*"))]:
        if not lake.is_dir():
            continue
        with _no_upkeep(lake) as _lock:
            tables = sorted(path.parent for path in lake.glob("*/_delta_log"))
            for table in tables:
                for path in _of_table(table):
                    writer.add(str(path.relative_to(data)), path)
        told[str(lake.relative_to(data))] = [table.name for table in tables]
        say(f"lake {lake.name}: {len(tables)} tables")
    return told


@contextmanager
def _no_upkeep(lake: Path) -> Iterator[IO[str]]:
    """The lake's own lock: nothing is compacted or removed meanwhile; appending goes on."""
    with (lake / "upkeep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _of_table(table: Path) -> list[Path]:
    log = sorted(path for path in (table / "_delta_log").iterdir() if path.is_file() and path.suffix != ".tmp")
    data = sorted(path for path in table.rglob("*.parquet") if "_delta_log" not in path.parts)
    return [*data, *log]


def _files(data: Path, writer: Writer) -> None:
    for path in sorted(data.rglob("*")):
        inside = path.relative_to(data)
        if inside.parts[0] in NOT_COPIED or inside.parts[0].startswith("backup-") or not path.is_file():
            continue
        if not path.is_symlink():
            writer.add(f"files/{inside}", path)
