"""Digests and seals under the installation's key, so that a copy of the database alone opens nothing.

keyed(purpose, *parts) -> bytes      a digest that only this installation can make: phones, six-digit codes, names
seal(text) -> bytes · unseal(bytes) -> str      for what must be read again: TOTP secrets, phones to write to

Both come from the key file (ZHIWAN_SECRET_KEY_FILE): it is kept, and backed up apart from the database. After a change
of the key the former ones stay in SECRET_KEY_FALLBACKS: seals made with them still open.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.crypto import salted_hmac


def keyed(purpose: str, *parts: str) -> bytes:
    """32 bytes that say nothing without the key; `purpose` keeps digests of different things apart."""
    return salted_hmac(f"zhiwan.ways_in.{purpose}", "\0".join(parts), algorithm="sha256").digest()


def seal(text: str) -> bytes:
    """The text encrypted and authenticated."""
    return _box().encrypt(text.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """The text of a seal. Raises cryptography.fernet.InvalidToken for one that is not ours."""
    return _box().decrypt(bytes(sealed)).decode()


def _box() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in (settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS))])


def _fernet(key: str) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"zhiwan.ways_in.seal").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
