"""Keys apart: each backup has a key of its own, sealed to a recovery key whose secret half is not on this machine.

    zhiwan backup key FILE     makes the pair: the secret half into FILE (take it away), the public half stays here
    <id>.key                   beside or apart from the archive: {data key, Django's signing key}, sealed

Who has the machine and the archives reads none of the old ones; who destroys <id>.key makes one unreadable for good.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.utils import random

from zhiwan.city.files import private_file
from zhiwan.kernel.facts.errors import InputRefused

PUBLIC = Path("secrets") / "backup-recovery.pub"


class NoRecoveryKey(InputRefused):
    """Nothing to seal backups to."""

    code = "BACKUP-002"
    fact = "there is no recovery key for the backups of {data}"
    detail = "Backups are sealed to a key whose secret half is kept away from this machine."
    hint = "Make one: zhiwan backup key FILE --data {data}, and take FILE away."


class KeyRefused(InputRefused):
    """A key file that is none, or another one's."""

    code = "BACKUP-003"
    fact = "the key {path} cannot be used"
    detail = "{why}."
    hint = "Take the recovery key that the backup was sealed to, and the .key file of the same backup."


@dataclass(frozen=True)
class Keys:
    """What opens one backup, and what the restored place needs besides."""

    id: str
    data_key: bytes
    secret_key: str


def new_recovery_key(file: Path, data: Path) -> None:
    """Make the pair. A file that is there already is not overwritten: it may be the only copy."""
    if file.exists():
        raise KeyRefused(path=file, why="It is there already, and may be the only one that opens older backups")
    pair = PrivateKey.generate()
    private_file(file, base64.b64encode(bytes(pair)).decode() + "\n")
    private_file(data / PUBLIC, base64.b64encode(bytes(pair.public_key)).decode() + "\n")


def public_key(data: Path) -> PublicKey:
    """Whom backups of this place are sealed to. Raises NoRecoveryKey."""
    try:
        return PublicKey(base64.b64decode((data / PUBLIC).read_text()))
    except FileNotFoundError:
        raise NoRecoveryKey(data=data) from None


def read_recovery_key(file: Path) -> PrivateKey:
    """The secret half. Raises KeyRefused."""
    try:
        return PrivateKey(base64.b64decode(file.read_text(), validate=False))
    except (OSError, ValueError, TypeError, CryptoError) as problem:
        raise KeyRefused(path=file, why="It is no recovery key") from problem


def new_keys(id: str, data: Path) -> Keys:
    """A key for one backup, with what else must be apart from it."""
    return Keys(id, random(32), (data / "secret.key").read_text().strip())


def seal(keys: Keys, to: PublicKey, file: Path) -> None:
    """Write the key file of a backup."""
    body = {"id": keys.id, "data_key": base64.b64encode(keys.data_key).decode(), "secret_key": keys.secret_key}
    sealed = SealedBox(to).encrypt(json.dumps(body).encode())
    private_file(file, json.dumps({"id": keys.id, "sealed": base64.b64encode(sealed).decode()}))


def unseal(file: Path, recovery: PrivateKey) -> Keys:
    """Open the key file of a backup. Raises KeyRefused."""
    try:
        told = json.loads(file.read_text())
        body = json.loads(SealedBox(recovery).decrypt(base64.b64decode(told["sealed"])))
        return Keys(str(body["id"]), base64.b64decode(body["data_key"]), str(body["secret_key"]))
    except (OSError, ValueError, KeyError, TypeError, CryptoError) as problem:
        raise KeyRefused(path=file, why="It was sealed to another recovery key, or is damaged") from problem


def id_of(file: Path) -> str:
    """Of which backup this is the key. Raises KeyRefused."""
    try:
        return str(json.loads(file.read_text())["id"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise KeyRefused(path=file, why="It is no key file of a backup") from problem


def destroy(file: Path) -> str:
    """Make a backup unreadable for good: overwrite its key file, then remove it. Its id, for the receipt."""
    id = id_of(file)
    with file.open("r+b") as opened:
        opened.write(random(file.stat().st_size))
        opened.flush()
        os.fsync(opened.fileno())
    file.unlink()
    return id
