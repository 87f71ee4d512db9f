"""The audit as a chain: the bytes of a record, the link from one to the next, and both as JSON.

    hash = SM3( DOMAIN ‖ hash of the record before ‖ canonical bytes of the record )

The bytes are those of one JSON object: keys sorted, no spaces, UTF-8, times in UTC with six digits. A value of
`before` or `after` passes through PostgreSQL's jsonb and comes back the same (`plain` sees to it), so that the hash can
be computed again from the database, from an export, or anywhere else. What a chain proves is in check.py; what is
signed of it in heads.py.

SM3 (GB/T 32905) comes from Python's hashlib where its OpenSSL has it, else from `cryptography`; with neither nothing
can be recorded, hence nothing be done: Sm3Missing.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from ipaddress import ip_address
from typing import Any

from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable

#: Says what the bytes are, so that no other use of SM3 can yield a link. A change of the fields is a new `form`.
DOMAIN = b"zhiwan-audit-1\0"
FORM = 1
ZERO = bytes(32)  # what the first record of a chain follows
_SURROGATE = re.compile("[\ud800-\udfff]")


class Sm3Missing(PartUnavailable):
    """Neither hashlib nor cryptography can compute SM3."""

    code = "AUDIT-001"
    fact = "SM3 is not available, so nothing can be recorded"
    detail = "Python is linked with {openssl}, which has no SM3, and the package cryptography has none either."
    hint = "Use a Python with OpenSSL 3 that is not restricted to FIPS algorithms, or a wheel of cryptography."


class NotARecord(InputRefused):
    """A line that should be a record of the audit and is not."""

    code = "AUDIT-002"
    fact = "line {line} of {file} is no record of the audit: {problem}"
    detail = "An export has one JSON object a line, as `zhiwan audit export` writes it."
    hint = "Export again. If the file was whole once, it was changed."


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done: who (account, name), as which post of which organisation, what, why, from where, when.

    `at` is the time of the space it was done in (a story has its own clock), `recorded_at` the platform's.
    """

    chain: str
    seq: int
    recorded_at: datetime
    at: datetime
    user: int | None
    account: str
    actor: str
    post: str | None
    organisation: str | None
    action: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    purpose: str
    address: str | None
    space: str
    form: int = FORM


@dataclass(frozen=True, slots=True)
class Link:
    """An entry with its place: the hash it follows, and its own."""

    entry: Entry
    previous: bytes
    hash: bytes

    @property
    def holds(self) -> bool:
        """Whether the hash is that of the content."""
        return digest(self.previous, self.entry) == self.hash


def plain(value: Any) -> Any:
    """The value as JSON that a jsonb column gives back unchanged. Idempotent.

    Whole floats become integers (jsonb knows one kind of number), what JSON cannot hold becomes text.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(one) for one in value), key=repr)
    if isinstance(value, datetime):
        return instant(value) if value.tzinfo else value.isoformat()
    return _text(str(value))


def _text(text: str) -> str:
    """Without what PostgreSQL's text cannot hold: NUL and lone surrogates, each shown as a replacement character."""
    return _SURROGATE.sub("\ufffd", text.replace("\0", "\ufffd"))


def plain_address(address: str | None) -> str | None:
    """An address in its canonical text; what is none (a unix socket) is nothing."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)


def instant(at: datetime) -> str:
    """2026-07-01T00:00:00.000000Z"""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").zfill(27)


def as_json(value: Any) -> bytes:
    """The one JSON text of a plain value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_json(text: str | bytes) -> Any:
    """A plain value from JSON. A number written otherwise than `plain` would have it (0.10, 1.0) comes as text.

    So a change of mere digits is a change of the hash too.
    """
    return json.loads(text, parse_float=_number)


def _number(text: str) -> float | str:
    number = float(text)
    told = repr(number)
    # jsonb writes numbers without an exponent, Python the very small and the very large ones with it.
    same = text == told or ("e" in told and text == format(Decimal(told), "f"))
    return number if same and not number.is_integer() else text


def canonical(entry: Entry) -> bytes:
    """What is hashed of an entry: all its fields."""
    return as_json(_fields(entry))


def _fields(entry: Entry) -> dict[str, Any]:
    found = {name: getattr(entry, name) for name in _NAMES}
    found["recorded_at"], found["at"] = instant(entry.recorded_at), instant(entry.at)
    return found


_NAMES = tuple(field.name for field in fields(Entry))
_LINK_NAMES = {*_NAMES, "previous", "hash"}


def digest(previous: bytes, entry: Entry) -> bytes:
    """The hash of an entry that follows `previous`."""
    return sm3(DOMAIN + previous + canonical(entry))


def link(previous: bytes, entry: Entry) -> Link:
    """The entry in its place."""
    return Link(entry, previous, digest(previous, entry))


def sm3(data: bytes) -> bytes:
    """SM3, 32 bytes. Raises Sm3Missing."""
    return _sm3()(data)


@cache
def _sm3() -> Callable[[bytes], bytes]:
    if "sm3" in hashlib.algorithms_available:
        try:
            hashlib.new("sm3", b"")
        except ValueError:  # listed, and refused by a FIPS provider
            pass
        else:
            return lambda data: hashlib.new("sm3", data).digest()
    return _sm3_of_cryptography()


def _sm3_of_cryptography() -> Callable[[bytes], bytes]:
    """Its wheels bring an OpenSSL of their own."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes

    try:
        hashes.Hash(hashes.SM3())
    except UnsupportedAlgorithm as problem:
        raise Sm3Missing(openssl=ssl.OPENSSL_VERSION) from problem

    def compute(data: bytes) -> bytes:
        one = hashes.Hash(hashes.SM3())
        one.update(data)
        return one.finalize()

    return compute


def to_row(link: Link) -> dict[str, Any]:
    """A link as one object of an export, or of what the database is told to append."""
    return {**_fields(link.entry), "previous": link.previous.hex(), "hash": link.hash.hex()}


def from_row(row: Any, *, file: str, line: int) -> Link:
    """The link of an object of an export. Raises NotARecord."""
    if not isinstance(row, dict):
        raise NotARecord(file=file, line=line, problem="it is no object")
    if wrong := sorted(row.keys() ^ _LINK_NAMES):
        raise NotARecord(file=file, line=line, problem=f"the fields {', '.join(wrong)} are missing or unknown")
    try:
        values = {name: row[name] for name in _NAMES}
        values["recorded_at"] = datetime.fromisoformat(row["recorded_at"])
        values["at"] = datetime.fromisoformat(row["at"])
        found = Entry(**values)
        if not isinstance(found.seq, int) or not isinstance(found.chain, str):
            raise ValueError("chain or seq is missing")
        return Link(found, bytes.fromhex(row["previous"]), bytes.fromhex(row["hash"]))
    except (TypeError, ValueError, AttributeError) as problem:
        raise NotARecord(file=file, line=line, problem=problem) from problem
