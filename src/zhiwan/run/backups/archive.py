"""The sealed file of a backup.

    MAGIC · length and JSON of the head {id, made_at, format} · header of the secret stream · pieces

Inside the pieces is a tar stream; its last member is `manifest.json`, with the SHA-256 of every other one. The pieces
are encrypted and authenticated by libsodium's secretstream (XChaCha20-Poly1305): one that is changed, missing, doubled
or moved is found, and so is a file that was cut, because the last piece is marked as the last. The head is bound to the
first piece.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from nacl import bindings
from nacl.exceptions import CryptoError

from zhiwan.kernel.facts.errors import InputRefused

MAGIC = b"ZHIWAN-BACKUP-1\n"
MANIFEST = "manifest.json"
PIECE = 1 << 20
_LENGTH = struct.Struct(">I")
_EXTRA = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
_HEADER = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_FINAL = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
_MESSAGE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE


class BackupDamaged(InputRefused):
    """Not a backup, or not whole, or not opened by this key."""

    code = "BACKUP-001"
    fact = "the backup {path} cannot be used"
    detail = "{why}."
    hint = "Take another backup, or the key file that was made together with this one. Nothing was restored."


@dataclass(frozen=True)
class Head:
    """What anybody may read of a backup."""

    id: str
    made_at: str

    def packed(self) -> bytes:
        body = json.dumps({"id": self.id, "made_at": self.made_at, "format": 1}).encode()
        return MAGIC + _LENGTH.pack(len(body)) + body


def read_head(path: Path) -> Head:
    """Raises BackupDamaged."""
    with path.open("rb") as file:
        return _head(file, path)[0]


def _head(file: IO[bytes], path: Path) -> tuple[Head, bytes]:
    try:
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupDamaged(path=path, why="It is no backup of Zhiwan")
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        if length > 4096:
            raise BackupDamaged(path=path, why="Its head is damaged")
        body = json.loads(file.read(length))
        head = Head(str(body["id"]), str(body["made_at"]))
    except (struct.error, ValueError, KeyError, TypeError) as problem:
        raise BackupDamaged(path=path, why="Its head is damaged") from problem
    return head, head.packed()


class Sealed(io.RawIOBase):
    """Writes a stream in sealed pieces. Only close() makes it whole."""

    def __init__(self, file: IO[bytes], key: bytes, head: Head) -> None:
        self._file = file
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._bound: bytes | None = head.packed()
        self._waiting = bytearray()
        file.write(self._bound)
        file.write(bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key))

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        while len(self._waiting) > PIECE:
            self._push(bytes(self._waiting[:PIECE]), _MESSAGE)
            del self._waiting[:PIECE]
        return len(data)

    def finish(self) -> None:
        """The last piece."""
        self._push(bytes(self._waiting), _FINAL)
        self._waiting.clear()

    def _push(self, piece: bytes, tag: int) -> None:
        sealed = bindings.crypto_secretstream_xchacha20poly1305_push(self._state, piece, self._bound, tag)
        self._bound = None
        self._file.write(_LENGTH.pack(len(sealed)))
        self._file.write(sealed)


class Opened(io.RawIOBase):
    """Reads what Sealed wrote. Raises BackupDamaged as soon as something is not as it was written."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._file = path.open("rb")
        self._pieces = self._open(key)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, left = [], size if size >= 0 else 1 << 62
        while left > 0:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    break
            parts.append(self._rest[:left])
            left -= len(parts[-1])
            self._rest = self._rest[len(parts[-1]) :]
        return b"".join(parts)

    def drain(self) -> None:
        """To the end: what follows the tar must be whole too."""
        while self.read(PIECE):
            pass

    def close(self) -> None:
        self._file.close()
        super().close()

    def _open(self, key: bytes) -> Iterator[bytes]:
        head, bound = _head(self._file, self._path)
        state = bindings.crypto_secretstream_xchacha20poly1305_state()
        header = self._file.read(_HEADER)
        if len(header) != _HEADER:
            raise self._damaged("It ends too early")
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
        first: bytes | None = bound
        while True:
            told = self._file.read(_LENGTH.size)
            if len(told) != _LENGTH.size:
                raise self._damaged("It ends too early")
            (length,) = _LENGTH.unpack(told)
            if not _EXTRA <= length <= PIECE + _EXTRA:
                raise self._damaged("A piece of it is damaged")
            sealed = self._file.read(length)
            try:
                piece, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, sealed, first)
            except (CryptoError, RuntimeError, ValueError) as problem:
                why = f"It is damaged, or the key belongs to another backup than {head.id}"
                raise self._damaged(why) from problem
            first = None
            if piece:
                yield piece
            if tag == _FINAL:
                if self._file.read(1):
                    raise self._damaged("Something was added to its end")
                return

    def _damaged(self, why: str) -> BackupDamaged:
        return BackupDamaged(path=self._path, why=why)


class Writer:
    """A backup being written: files one after the other, then the manifest."""

    def __init__(self, file: IO[bytes], key: bytes, head: Head) -> None:
        self._sealed = Sealed(file, key, head)
        out = cast(IO[bytes], self._sealed)
        self._tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - finish() closes it
        self.files: dict[str, str] = {}
        self.bytes = 0

    def add(self, name: str, path: Path) -> None:
        """A file as it is now, under this name."""
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        with path.open("rb") as file:
            info.size = path.stat().st_size
            hashing = _Hashing(file, info.size)
            self._tar.addfile(info, cast(IO[bytes], hashing))
        self.files[name] = hashing.digest()
        self.bytes += info.size

    def finish(self, manifest: dict[str, Any]) -> None:
        """The manifest with the hashes, and the end."""
        body = json.dumps({**manifest, "files": self.files}, ensure_ascii=False).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(body)
        self._tar.addfile(info, io.BytesIO(body))
        self._tar.close()
        self._sealed.finish()


class _Hashing:
    """Reads at most what the file held when it was looked at, and hashes it. A file that became shorter is an error."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()


def unpack(path: Path, key: bytes, into: Path | None) -> dict[str, Any]:
    """Check a backup to its last byte and put its files below `into` (None: only check); its manifest.

    Raises BackupDamaged. Names are checked by tarfile's `data` filter: nothing gets out of `into`.
    """
    found: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    opened = Opened(path, key)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], opened), mode="r|") as tar:
            for member in tar:
                source = tar.extractfile(member)
                if source is None or manifest is not None:
                    raise BackupDamaged(path=path, why=f"It holds something that is no file: {member.name[:80]}")
                if member.name == MANIFEST:
                    manifest = json.loads(source.read())
                    continue
                found[member.name] = _extract(source, member, into)
        opened.drain()
    except (tarfile.TarError, json.JSONDecodeError) as problem:
        raise BackupDamaged(path=path, why="Its files cannot be read") from problem
    finally:
        opened.close()
    if manifest is None or manifest.get("files") != found:
        raise BackupDamaged(path=path, why="Its files are not those of its manifest")
    return manifest


def _extract(source: IO[bytes], member: tarfile.TarInfo, into: Path | None) -> str:
    digest = hashlib.sha256()
    target = None
    if into is not None:
        safe = tarfile.data_filter(member, str(into))
        target = into / safe.name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(target, "wb") if target is not None else io.BytesIO() as out:
        while piece := source.read(PIECE):
            digest.update(piece)
            if target is not None:
                out.write(piece)
    return digest.hexdigest()
