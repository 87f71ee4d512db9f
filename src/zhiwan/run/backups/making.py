"""A consistent picture of a Zhiwan that goes on running.

First the database, in one snapshot; then the lake. The lake may be newer than the database and never older: a batch
leaves the database's outbox only after the lake has it, and what the restored outbox still holds is dropped by the lake
where it has it already. Of a Delta table the log is listed first and the data files after it, while compaction and
vacuum are kept out: every file that a copied log names was there before it. `_last_checkpoint` is a hint that may name
a checkpoint of after the listing, so it stays behind: readers find the newest checkpoint by looking.

What devices were acknowledged and the worker had not committed at the snapshot is in neither: `uncommitted` in the
manifest says how many messages that were, for each stream. The signed heads of the audit go along, cut to the line that
the snapshot knows of: a restored audit can be checked as it is, and against copies of them kept elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
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
#: The last sequence number of these streams; asked while the snapshot is open.
StreamEnds = Callable[[list[str]], Mapping[str, int]]
DUMP = "database.dump"
#: Of the data folder: made anew in another place, or kept apart (the signed heads judge the audit of a restore).
NOT_COPIED = frozenset(
    {"postgres", "nats", "lake", "lakes", "logs", "lock", "secrets", "secret.key", "demo.json", "audit-heads",
     "reports", "sms", "static", "backup.lock", "backup-plan.json", "nightly.json"}
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
    fact = "the database of {data} does not answer"
    detail = "{why}"
    hint = "Start Zhiwan (bin/up); nothing was done. A PostgreSQL of your own is copied with its own tools."


class NotWritten(PartUnavailable):
    """The folder for the archive, or what is copied, cannot be used."""

    code = "BACKUP-008"
    fact = "the backup could not be written"
    detail = "{why}"
    hint = "Make room or give another folder, and run it again; nothing of this backup was left."


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


def make_backup(
    data: Path,
    to: Path,
    keys_to: Path,
    *,
    seal_to: PublicKey | None = None,
    say: Say = print,
    stream_ends: StreamEnds | None = None,
) -> Made:
    """Write `<to>/zhiwan-<id>.backup` and `<keys_to>/zhiwan-<id>.key`; after an error neither is left.

    Raises BackupUnderWay, DatabaseNotHere, NoRecoveryKey, NotWritten.
    """
    data = data.resolve()
    public = seal_to or apart.public_key(data)
    now = datetime.now(UTC)
    id = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    keys = apart.new_keys(id, data)
    try:
        for folder in (to, keys_to):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as problem:
        raise NotWritten(why=problem) from problem
    made = Made(id, to / f"zhiwan-{id}.backup", keys_to / f"zhiwan-{id}.key")
    part = made.archive.with_suffix(".part")
    with _alone(data):
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                writer = Writer(file, keys.data_key, Head(id, now.isoformat()))
                manifest: dict[str, Any] = {"id": id, "made_at": now.isoformat(), "format": 1}
                manifest |= _database(data, writer, say, stream_ends)
                manifest |= _lakes(data, writer, say)
                _heads(data, writer, manifest["database"]["signed_line"])
                _files(data, writer)
                writer.finish(manifest)
                file.flush()
                os.fsync(file.fileno())
                made.manifest, made.bytes = manifest, file.tell()
            apart.seal(keys, public, made.key_file)
            part.rename(made.archive)
        except BaseException as problem:
            remove(made)
            if isinstance(problem, OSError):
                raise NotWritten(why=problem) from problem
            raise
    say(f"{made.archive} ({made.bytes / 1e6:,.1f} MB)")
    return made


def remove(made: Made) -> None:
    """Nothing of this backup stays, finished or not."""
    for path in (made.archive.with_suffix(".part"), made.archive, made.key_file):
        path.unlink(missing_ok=True)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    with (data / "backup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupUnderWay(data=data) from None
        yield


def _database(data: Path, writer: Writer, say: Say, stream_ends: StreamEnds | None) -> dict[str, Any]:
    """The dump and, of the same snapshot, what describe() says and what of the streams is not in it."""
    url = admin_url(data)
    with tempfile.TemporaryDirectory(dir=data, prefix="backup-") as folder:
        dump = Path(folder) / DUMP
        try:
            with psycopg.connect(url) as connection:
                connection.execute("SET idle_in_transaction_session_timeout = 0")
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
                uncommitted = _uncommitted(connection, stream_ends)
                say("database …")
                command = [binaries() / "pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={dump}", url]
                done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    raise DatabaseNotHere(data=data, why=done.stderr.strip()[-500:])
                told: dict[str, Any] = {"database": describe(connection), "taken_at": datetime.now(UTC).isoformat()}
                told["uncommitted"] = uncommitted
        except psycopg.OperationalError as problem:
            raise DatabaseNotHere(data=data, why=str(problem).strip()) from problem
        writer.add(DUMP, dump)
    say(f"database: {sum(told['database']['rows'].values()):,} rows of {len(told['database']['rows'])} tables")
    return told


def _uncommitted(connection: psycopg.Connection[Any], stream_ends: StreamEnds | None) -> dict[str, int] | None:
    """Messages of each stream that the snapshot has not; None when nobody can say."""
    cursors = connection.execute("SELECT stream, min(seq) FROM watch_streamcursor GROUP BY stream").fetchall()
    if stream_ends is None:
        return None
    ends = stream_ends([stream for stream, _ in cursors])
    return {stream: max(0, ends[stream] - seq) for stream, seq in cursors if stream in ends}


def describe(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """What a restored database must equal: rows and content of every table, heads of the audit, the newest reading.

    The content of a table is the sum of its rows' 64-bit hashes: no order is needed, and no memory.
    """
    connection.execute("SET LOCAL timezone = 'UTC'")
    names = connection.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
        " ORDER BY c.relname"
    ).fetchall()
    rows, content = {}, {}
    question = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(one::text, 0)::numeric), 0) FROM {} AS one")
    for (name,) in names:
        found = connection.execute(question.format(sql.Identifier(name))).fetchone() or (0, 0)
        rows[name], content[name] = int(found[0]), str(found[1])
    heads = connection.execute(
        "SELECT chain, seq, encode(hash, 'hex') FROM people_auditchain ORDER BY chain"
    ).fetchall()
    newest = connection.execute("SELECT max(recorded_at) FROM watch_latestvalue").fetchone()
    line = connection.execute("SELECT max(line) FROM people_auditsigning").fetchone()
    return {
        "name": DATABASE,
        "rows": rows,
        "content": content,
        "audit": {chain: [seq, digest] for chain, seq, digest in heads},
        "signed_line": line[0] if line and line[0] else 0,
        "newest_reading": newest[0].isoformat() if newest and newest[0] else None,
    }


def _lakes(data: Path, writer: Writer, say: Say) -> dict[str, Any]:
    """`lakes`: of each lake its tables and the version of each that was copied; `dropped`: lakes of stories that went
    while they were copied."""
    told: dict[str, dict[str, int]] = {}
    dropped = []
    for lake in [data / "lake", *sorted((data / "lakes").glob("*"))]:
        if not lake.is_dir():
            continue
        name = str(lake.relative_to(data))
        try:
            told[name] = _lake(data, lake, writer)
        except FileNotFoundError:
            if lake.parent == data or lake.is_dir():
                raise
            told.pop(name, None)
            dropped.append(name)
            continue
        say(f"lake {lake.name}: {len(told[name])} tables")
    return {"lakes": told, "dropped": dropped}


def _lake(data: Path, lake: Path, writer: Writer) -> dict[str, int]:
    versions = {}
    with _no_upkeep(lake):
        for table in sorted(path.parent for path in lake.glob("*/_delta_log")):
            files, versions[table.name] = _of_table(table)
            for path in files:
                writer.add(str(path.relative_to(data)), path)
    return versions


@contextmanager
def _no_upkeep(lake: Path) -> Iterator[IO[str]]:
    """The lake's own lock: nothing is compacted or removed meanwhile; appending goes on."""
    with (lake / "upkeep.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _of_table(table: Path) -> tuple[list[Path], int]:
    """The files of a table, and its version by the log that was listed."""
    log = sorted(
        path
        for path in (table / "_delta_log").iterdir()
        if path.is_file() and path.suffix != ".tmp" and path.name != "_last_checkpoint"
    )
    data = sorted(path for path in table.rglob("*.parquet") if "_delta_log" not in path.parts)
    version = max((int(path.stem) for path in log if path.suffix == ".json" and path.stem.isdecimal()), default=-1)
    return [*data, *log], version


def _heads(data: Path, writer: Writer, upto: int) -> None:
    """The signed heads of the audit, to the line that the snapshot knows of; torn lines are nobody's."""
    folder = Path(os.environ.get("ZHIWAN_AUDIT_HEADS") or data / "audit-heads")
    with tempfile.TemporaryDirectory(dir=data, prefix="backup-") as cut:
        for path in sorted(folder.glob("heads-*.ndjson")):
            lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
            kept = [line for line in lines if _number(line) <= upto]
            if kept:
                (Path(cut) / path.name).write_bytes(b"".join(kept))
                writer.add(f"files/audit-heads/{path.name}", Path(cut) / path.name)
        if (folder / "keys.txt").is_file():
            writer.add("files/audit-heads/keys.txt", folder / "keys.txt")


def _number(line: bytes) -> int:
    """Of a signed line; a spoilt one goes along, so that a check finds it there too."""
    try:
        return int(json.loads(line)["n"])
    except (ValueError, KeyError, TypeError):
        return 0


def _files(data: Path, writer: Writer) -> None:
    for path in sorted(data.rglob("*")):
        inside = path.relative_to(data)
        if inside.parts[0] in NOT_COPIED or inside.parts[0].startswith("backup-") or not path.is_file():
            continue
        if not path.is_symlink() and path.suffix != ".lock":
            writer.add(f"files/{inside}", path)
