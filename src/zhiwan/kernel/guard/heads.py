"""Signed heads: what every chain had reached at a time, told outside the database, so that it cannot be told otherwise.

A file of lines, each one JSON object that names and hashes the line before it:

    {"v": 1, "kind": "heads", "n": 17, "at": …, "previous": …, "heads": {chain: [seq, hash]}, "key": …, "signature": …}
    {"v": 1, "kind": "seal",  "n": 18, "at": …, "previous": …, "month": "2026-03", "runs": {chain: [[first, last,
     previous, hash], …]}, "key": …, "signature": …}

A line of heads lists those that changed since the line before (the first of each file lists all), so that the whole
file says for each chain how far it stood at which times. A *seal* says which records were let go by retention: `runs`
are all of them so far, with the hash before and the last one, so that a chain can be followed across the hole. Who
signs, and where the file lies: city/people/auditing/signing.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zhiwan.kernel.guard.chain import as_json, instant, sm3
from zhiwan.kernel.guard.findings import Finding

DOMAIN = b"zhiwan-audit-heads-1\0"
NO_LINE = "0" * 64  # what the first line follows


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a chain."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """Records first … last of a chain that are no longer kept."""

    chain: str
    first: int
    last: int
    previous: bytes
    hash: bytes

    @property
    def count(self) -> int:
        return self.last - self.first + 1


Runs = Mapping[str, Iterable[Run]]
Sign = Callable[[bytes], bytes]
#: (key, signature, data) → whether that key signed that; a key nobody knows signs nothing.
Verify = Callable[[str, bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that was signed."""

    hash: bytes
    at: datetime


@dataclass
class Signed:
    """All that a file of signed heads says."""

    anchors: dict[str, dict[int, list[Anchor]]] = field(default_factory=dict)
    seals: dict[str, list[Run]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    lines: int = 0
    first: int = 0  # number of the first line
    last: int = 0
    last_hash: str = NO_LINE
    first_at: datetime | None = None
    last_at: datetime | None = None  # of the last line that holds heads
    torn: bool = False  # the file ends within a line: a crash while writing

    def note(self, chain: str, seq: int, hash: bytes, at: datetime) -> None:
        """Keep a signed head; the same head signed again changes nothing."""
        found = self.anchors.setdefault(chain, {}).setdefault(seq, [])
        if all(one.hash != hash for one in found):
            found.append(Anchor(hash, at))


def heads_body(heads: Mapping[str, Head]) -> dict[str, Any]:
    """What a line says of chains that changed."""
    return {"kind": "heads", "heads": {chain: [head.seq, head.hash.hex()] for chain, head in heads.items()}}


def seal_body(month: str, runs: Runs) -> dict[str, Any]:
    """What a line says of the records that go with a month, and of all that went before."""
    return {"kind": "seal", "month": month, "runs": runs_as_json(runs)}


def runs_as_json(runs: Runs) -> dict[str, list[list[Any]]]:
    return {
        chain: [[one.first, one.last, one.previous.hex(), one.hash.hex()] for one in found]
        for chain, found in runs.items()
    }


def runs_from_json(found: Any) -> dict[str, list[Run]]:
    """Raises ValueError or TypeError where it is not what runs_as_json writes."""
    return {
        str(chain): [
            Run(str(chain), int(first), int(last), bytes.fromhex(previous), bytes.fromhex(hash))
            for first, last, previous, hash in runs
        ]
        for chain, runs in found.items()
    }


def joined(runs: Iterable[Run]) -> list[Run]:
    """The same records in as few runs as possible, in their order."""
    found: list[Run] = []
    for one in sorted(runs, key=lambda run: run.first):
        if found and found[-1].last + 1 == one.first and found[-1].hash == one.previous:
            found[-1] = Run(one.chain, found[-1].first, one.last, found[-1].previous, one.hash)
        elif not found or one.first > found[-1].last:
            found.append(one)
    return found


def write_line(body: Mapping[str, Any], *, n: int, at: datetime, previous: str, key: str, sign: Sign) -> bytes:
    """One signed line, with its end."""
    whole = {"v": 1, "n": n, "at": instant(at), "previous": previous, "key": key, **body}
    signature = sign(DOMAIN + as_json(whole)).hex()
    return as_json({**whole, "signature": signature}) + b"\n"


def line_hash(line: bytes) -> str:
    """What the next line names."""
    return sm3(line.rstrip(b"\n")).hex()


def read_lines(lines: Iterable[tuple[str, bytes]], verify: Verify) -> Signed:
    """All lines of all files in their order, each with its file's name; what is wrong with them is among `findings`."""
    signed = Signed()
    for file, line in lines:
        if not line.endswith(b"\n"):
            signed.torn = True
            continue
        expected = signed.last + 1
        try:
            _take_line(signed, file, line, verify)
        except (ValueError, TypeError, KeyError, AttributeError):
            _blame(signed, file, expected, "it is not as it was signed by a key that is trusted")
            signed.last = max(signed.last, expected)
        signed.lines += 1
        signed.last_hash = line_hash(line)
    return signed


def _blame(signed: Signed, file: str, number: int, problem: str) -> None:
    signed.findings.append(Finding("line", first=number, values={"file": file, "problem": problem}))


def _take_line(signed: Signed, file: str, line: bytes, verify: Verify) -> None:
    whole = json.loads(line)
    signature = bytes.fromhex(whole.pop("signature"))
    if not verify(str(whole["key"]), signature, DOMAIN + as_json(whole)):
        raise ValueError("signature")
    n, at = int(whole["n"]), datetime.fromisoformat(whole["at"])
    if signed.lines == 0:
        signed.first, signed.first_at = n, at
    elif n != signed.last + 1 or whole["previous"] != signed.last_hash:
        # It says what it says, whatever became of its neighbours.
        _blame(signed, file, n, "it does not follow the line before it: lines were taken out, put in or changed")
    signed.last = n
    if whole["kind"] == "seal":
        for chain, runs in runs_from_json(whole["runs"]).items():
            signed.seals.setdefault(chain, []).extend(runs)
    else:
        signed.last_at = at
        for chain, (seq, hash) in whole["heads"].items():
            signed.note(chain, int(seq), bytes.fromhex(hash), at)
