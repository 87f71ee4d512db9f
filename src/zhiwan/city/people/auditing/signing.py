"""Signs the heads of all chains into a file outside the database and its backups, every five minutes.

    <data>/secrets/audit-heads.key    Ed25519, mode 600; made at the first start
    <data>/audit-heads/               or ZHIWAN_AUDIT_HEADS: another disk, a share that only grows
        heads-2026-12.ndjson          one line each time (kernel/guard/heads.py)
        keys.txt                      the public keys that signed here, one a line

Whoever has only the database can then neither rewrite nor cut a chain unseen. Whoever has the key and the file too,
can: keep a copy of both the file and the public key where they are not.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.db import connection

from zhiwan.city.files import private_file
from zhiwan.city.people import guard
from zhiwan.city.people.acting import Process, acting_system
from zhiwan.city.people.auditing.reading import signed_line
from zhiwan.city.people.models import AuditSigning
from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable
from zhiwan.kernel.guard.heads import (
    NO_LINE,
    Head,
    Runs,
    Signed,
    heads_body,
    line_hash,
    read_lines,
    seal_body,
    write_line,
)

_FILES = "heads-*.ndjson"
_CHANGED = """
SELECT chain, seq, hash FROM people_auditchain WHERE seq > signed_seq OR (%s AND seq > 0) ORDER BY chain
"""
# Locked in the order of their names, as writers do: two orders would be a deadlock.
_SIGNED = """
UPDATE people_auditchain c SET signed_seq = GREATEST(c.signed_seq, told.seq)
FROM (SELECT h.chain, one.seq FROM unnest(%s::text[], %s::bigint[]) AS one (chain, seq)
      JOIN people_auditchain h ON h.chain = one.chain ORDER BY h.chain FOR UPDATE OF h) AS told
WHERE c.chain = told.chain
"""


class HeadsNotWritable(PartUnavailable):
    """The file of signed heads, or its key, cannot be used."""

    code = "AUDIT-004"
    fact = "the heads of the audit cannot be signed: {problem}"
    detail = "They are signed into {folder} by a key in {key}."
    hint = "Make the folder writable for the account that runs Zhiwan; nothing is lost, the next signature covers all."


class KeyUnreadable(InputRefused):
    """Something that should be a public key."""

    code = "AUDIT-010"
    fact = "{given} is no public key of signed heads"
    detail = "It has 64 hexadecimal digits; `zhiwan audit key` prints it."
    hint = "Give the digits, or a file that has them."


@dataclass(frozen=True)
class Told:
    """One line that was signed."""

    line: int
    at: datetime
    chains: int
    key: str


def heads_folder() -> Path:
    return Path(settings.ZHIWAN_AUDIT_HEADS or Path(settings.ZHIWAN_DATA) / "audit-heads")


def key_file() -> Path:
    return Path(settings.ZHIWAN_DATA) / "secrets" / "audit-heads.key"


def public_key() -> str:
    """The public key in use, as 64 hexadecimal digits; the pair is made where there is none."""
    return _public(_key())


def sign_heads(*, process: Process, at: datetime) -> Told:
    """Sign every head that changed since the last line. Raises HeadsNotWritable, and keeps why for the page."""
    try:
        with _file() as folder:
            fresh = not (folder / _name(at)).exists()
            with acting_system(process):
                guard.require("audit.sign")
                heads = _changed_heads(everything=fresh)
                known = signed_line()
            told = _write(folder, heads_body(heads), at, known, len(heads))
            with acting_system(process):
                _remember(told, heads)
            return told
    except OSError as problem:
        with acting_system(process):
            AuditSigning.objects.update_or_create(id=1, defaults={"problem": str(problem)[:300]})
        raise _unusable(problem) from problem


def sign_seal(month: str, runs: Runs, *, at: datetime) -> Told:
    """Sign that these records are let go: before they are, in the transaction that lets them go."""
    try:
        with _file() as folder:
            told = _write(folder, seal_body(month, runs), at, signed_line(), 0)
    except OSError as problem:
        raise _unusable(problem) from problem
    AuditSigning.objects.update_or_create(id=1, defaults={"line": told.line, "at": told.at, "key": told.key})
    return told


def _unusable(problem: OSError) -> HeadsNotWritable:
    return HeadsNotWritable(problem=problem, folder=heads_folder(), key=key_file())


def _changed_heads(*, everything: bool) -> dict[str, Head]:
    with connection.cursor() as cursor:
        cursor.execute(_CHANGED, [everything])
        return {chain: Head(seq, bytes(hash)) for chain, seq, hash in cursor.fetchall()}


def _remember(told: Told, heads: Mapping[str, Head]) -> None:
    values = {"line": told.line, "at": told.at, "key": told.key, "problem": ""}
    AuditSigning.objects.update_or_create(id=1, defaults=values)
    with connection.cursor() as cursor:
        cursor.execute(_SIGNED, [list(heads), [head.seq for head in heads.values()]])


@contextmanager
def _file() -> Iterator[Path]:
    """The folder, for one writer at a time."""
    folder = heads_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)


def _name(at: datetime) -> str:
    return f"heads-{at.astimezone(UTC):%Y-%m}.ndjson"


def _write(folder: Path, body: Mapping[str, Any], at: datetime, known: int, chains: int) -> Told:
    """Append one line, on disk when this returns. What a crash left of a line is cut off first: nobody was told it."""
    private = _key()
    key = _public(private)
    previous, number = NO_LINE, 0
    if (last := _last_line(folder)) is not None:
        previous, number = line_hash(last[0]), last[1]
    line = write_line(
        body, n=max(number, known) + 1, at=at, previous=previous, key=key, sign=lambda data: private.sign(data)
    )
    with os.fdopen(os.open(folder / _name(at), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return Told(max(number, known) + 1, at, chains, key)


def _last_line(folder: Path) -> tuple[bytes, int] | None:
    """The last whole line of the newest file that has one, and its number."""
    import json

    for path in sorted(folder.glob(_FILES), reverse=True):
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        if whole:
            line = whole[whole.rfind(b"\n", 0, -1) + 1 :]
            try:
                return line, int(json.loads(line)["n"])
            except (ValueError, KeyError, TypeError):
                return line, 0
    return None


def _key() -> Ed25519PrivateKey:
    """The signing key, made where there is none."""
    file = key_file()
    if not file.exists():
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        private_file(file, pem.decode())
        heads_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        known = heads_folder() / "keys.txt"
        private_file(known, "".join(f"{key}\n" for key in [*_keys_in(known), _public(made)]))
    found = serialization.load_pem_private_key(file.read_bytes(), password=None)
    if not isinstance(found, Ed25519PrivateKey):
        raise HeadsNotWritable(problem="its key is of another sort", folder=heads_folder(), key=file)
    return found


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def _keys_in(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").split() if file.exists() else []


def trusted_keys(given: Iterable[str] = ()) -> list[str]:
    """The keys by which lines are believed: those given (digits, or files with them), else those of this folder."""
    found: list[str] = []
    for one in given:
        words = _keys_in(Path(one)) if Path(one).is_file() else [one]
        for word in words:
            try:
                Ed25519PublicKey.from_public_bytes(bytes.fromhex(word))
            except ValueError as problem:
                raise KeyUnreadable(given=word) from problem
            found.append(word.lower())
    if not found:
        found = _keys_in(heads_folder() / "keys.txt")
        if key_file().exists():
            found.append(public_key())
    return found


def read_signed(where: Path | None = None, keys: Iterable[str] = ()) -> Signed:
    """What a folder of signed heads, or one file of it, says; lines by keys that are not trusted are findings."""
    trusted = {key: Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)) for key in trusted_keys(keys)}

    def verify(key: str, signature: bytes, data: bytes) -> bool:
        try:
            trusted[key].verify(signature, data)
        except (KeyError, InvalidSignature):
            return False
        return True

    where = where or heads_folder()
    files = sorted(where.glob(_FILES)) if where.is_dir() else [where] if where.exists() else []
    return read_lines(_lines(files), verify)


def _lines(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for path in files:
        with path.open("rb") as file:
            for line in file:
                yield path.name, line
