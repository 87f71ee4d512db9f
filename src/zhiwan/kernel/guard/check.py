"""Follows the chains of the audit and says where they do not hold, and what it could not see.

    checker = Checker(heads=…, signed=…, months=…)
    for link in links: checker.take(link)          each chain whole, by number
    report = checker.finish()

`heads` are the heads that the database itself names, read before the records; `signed` what the file of signed heads
says (None: not compared); `sealed` what the audit's own records say was let go by retention, used only without
`signed`; `months` the partitions there are, so that a missing one can be named.

Records that came while the check was reading are taken as they are: they follow the head that was read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zhiwan.kernel.guard.chain import FORM, ZERO, Link, instant
from zhiwan.kernel.guard.findings import Blindness, Finding
from zhiwan.kernel.guard.heads import Anchor, Head, Run, Runs, Signed

Seals = dict[str, dict[int, list[Run]]]  # chain → first record → runs that begin there
MOST_FINDINGS = 1000  # of a chain of which every record is wrong, the first thousand say enough


@dataclass
class Report:
    """What came of a check."""

    records: int = 0
    chains: int = 0
    sealed: int = 0
    unsigned: int = 0
    compared: bool = False  # with signed heads
    signed_at: datetime | None = None
    findings: list[Finding] = field(default_factory=list)
    left_out: int = 0  # findings beyond MOST_FINDINGS
    blind: list[Blindness] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        return {
            "whole": self.whole, "compared_with_signed_heads": self.compared, "records": self.records,
            "chains": self.chains, "sealed": self.sealed, "unsigned": self.unsigned,
            "last_signed_at": instant(self.signed_at) if self.signed_at else None,
            "findings": [one.as_dict() for one in self.findings], "findings_left_out": self.left_out,
            "cannot_see": [one.as_dict() for one in self.blind],
        }  # fmt: skip


@dataclass
class _Walk:
    """How far one chain was followed. `hash` is None after a hole: what the next record follows is then unknown."""

    chain: str
    seq: int = 0
    hash: bytes | None = ZERO
    at: datetime | None = None
    agreed: int = 0  # the last record that is as it was signed
    anchors: Mapping[int, list[Anchor]] = field(default_factory=dict)
    reach: int = 0  # the last record that was signed
    rewritten: bool = False


class Checker:
    """One pass over all chains."""

    def __init__(
        self,
        *,
        heads: Mapping[str, Head],
        signed: Signed | None = None,
        sealed: Runs | None = None,
        months: Collection[str] | None = None,
    ) -> None:
        self._heads = heads
        self._signed = signed
        self._months = months
        self._seals = _by_first(signed.seals if signed is not None else sealed or {})
        self._walk: _Walk | None = None
        self._seen: set[str] = set()
        self._report = Report(compared=signed is not None, signed_at=signed.last_at if signed else None)
        if signed is not None:
            self._report.findings += signed.findings
            if signed.first > 1:
                self._find("lines_gone", "", 1, signed.first - 1)

    @property
    def records(self) -> int:
        """How many were taken so far."""
        return self._report.records

    def take(self, link: Link) -> None:
        """The next record."""
        entry = link.entry
        self._report.records += 1
        walk = self._walk
        if walk is None or walk.chain != entry.chain:
            walk = self._begin(entry.chain)
        if entry.seq <= walk.seq:
            self._find("twice" if entry.seq == walk.seq else "order", walk.chain, entry.seq, walk.seq)
            return
        if entry.seq > walk.seq + 1:
            self._cross(walk, entry.seq - 1, until=entry.recorded_at)
        self._judge(walk, link)
        walk.seq, walk.hash, walk.at = entry.seq, link.hash, entry.recorded_at

    def finish(self) -> Report:
        """Ends the last chain, looks for chains of which nothing is left, and says what could not be seen."""
        if self._walk is not None:
            self._end(self._walk)
        for chain in sorted((self._heads.keys() | self._anchors().keys() | self._seals.keys()) - self._seen):
            self._begin(chain)
        if self._walk is not None:
            self._end(self._walk)
            self._walk = None
        self._report.chains = len(self._seen)
        self._report.blind = self._blind()
        return self._report

    def _begin(self, chain: str) -> _Walk:
        if self._walk is not None:
            self._end(self._walk)
        if chain in self._seen:
            self._find("order", chain, 0, 0)
        self._seen.add(chain)
        anchors = self._anchors().get(chain, {})
        self._walk = _Walk(chain, anchors=anchors, reach=max(anchors, default=0))
        return self._walk

    def _judge(self, walk: _Walk, link: Link) -> None:
        entry = link.entry
        if entry.form != FORM:
            self._find("form", walk.chain, entry.seq, entry.seq, form=entry.form)
        elif not link.holds:
            self._find(
                "changed", walk.chain, entry.seq, entry.seq,
                action=entry.action, subject=entry.subject, recorded_at=instant(entry.recorded_at),
            )  # fmt: skip
        elif walk.hash is not None and link.previous != walk.hash:
            self._find("replaced", walk.chain, walk.seq, entry.seq)
        self._compare(walk, link)
        self._report.unsigned += entry.seq > walk.reach

    def _compare(self, walk: _Walk, link: Link) -> None:
        """With the head that the database names, and with every head that was signed."""
        head = self._heads.get(walk.chain)
        if head is not None and head.seq == link.entry.seq and head.hash != link.hash:
            self._find("head", walk.chain, link.entry.seq, head.seq)
        for anchor in walk.anchors.get(link.entry.seq, ()):
            if anchor.hash == link.hash:
                walk.agreed = link.entry.seq
            elif not walk.rewritten:
                walk.rewritten = True
                self._find("rewritten", walk.chain, link.entry.seq, walk.agreed, at=instant(anchor.at))

    def _cross(self, walk: _Walk, last: int, until: datetime | None) -> None:
        """Records up to `last` are not there: sealed ones are crossed, the rest is missing."""
        while walk.seq < last:
            if (run := self._sealed_from(walk, last)) is not None:
                if walk.hash is not None and run.previous != walk.hash:
                    self._find("replaced", walk.chain, walk.seq, run.first)
                walk.seq, walk.hash = run.last, run.hash
                self._report.sealed += run.count
                continue
            later = (first - 1 for first in self._seals.get(walk.chain, {}) if walk.seq + 1 < first <= last)
            end = min(later, default=last)
            months = self._months_gone(walk.at, until)
            self._find("missing", walk.chain, walk.seq + 1, end, **({"months": months} if months else {}))
            walk.seq, walk.hash = end, None

    def _sealed_from(self, walk: _Walk, last: int | None = None) -> Run | None:
        """The longest seal that begins with the next record and reaches no further than `last`."""
        runs = self._seals.get(walk.chain, {}).get(walk.seq + 1, [])
        return max((run for run in runs if last is None or run.last <= last), key=lambda run: run.last, default=None)

    def _end(self, walk: _Walk) -> None:
        """After the last record: what was signed, or what the database names as head, may lie further on."""
        while (run := self._sealed_from(walk)) is not None:
            walk.seq, walk.hash = run.last, run.hash
            self._report.sealed += run.count
        head = self._heads.get(walk.chain)
        if max(walk.reach, head.seq if head else 0) > walk.seq:
            self._cut(walk, head)
        elif head is None and walk.reach:  # signed before the heads were read, so there was one
            self._find("head", walk.chain, walk.seq, 0)
        self._walk = None

    def _cut(self, walk: _Walk, head: Head | None) -> None:
        signed = walk.reach > walk.seq
        at = walk.anchors[walk.reach][0].at if signed else None
        witness = f"signed at {instant(at)}" if at else "the head in the database says so"
        months = self._months_gone(walk.at, at)
        more = {"months": months} if months else {}
        last = max(walk.reach, head.seq if head else 0)
        self._find("cut", walk.chain, walk.seq + 1, last, witness=witness, signed=signed, **more)

    def _months_gone(self, since: datetime | None, until: datetime | None) -> list[str]:
        """Months between two times that have no partition: the records between were in them."""
        if self._months is None:
            return []
        since = since or (self._signed.first_at if self._signed else None) or until
        until = until or since
        if since is None or until is None:
            return []
        found, (year, month) = [], (since.year, since.month)
        while (year, month) <= (until.year, until.month):
            if (name := f"{year:04}-{month:02}") not in self._months:
                found.append(name)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return found

    def _anchors(self) -> Mapping[str, dict[int, list[Anchor]]]:
        return self._signed.anchors if self._signed else {}

    def _find(self, code: str, chain: str, first: int, last: int, **values: Any) -> None:
        if len(self._report.findings) < MOST_FINDINGS:
            self._report.findings.append(Finding(code, chain, first, last, values))
        else:
            self._report.left_out += 1

    def _blind(self) -> list[Blindness]:
        report, signed = self._report, self._signed
        found = []
        if signed is None or not signed.lines:
            found.append(Blindness("no_heads"))
        else:
            if report.unsigned and signed.last_at:
                found.append(Blindness("unsigned", {"count": report.unsigned, "at": instant(signed.last_at)}))
            if signed.torn:
                found.append(Blindness("torn"))
        if report.sealed:
            found.append(Blindness("sealed", {"count": report.sealed}))
            if signed is None:
                found.append(Blindness("sealed_by_record"))
        return [*found, Blindness("key_holder"), Blindness("never_written")]


def _by_first(runs: Runs) -> Seals:
    found: Seals = {}
    for chain, those in runs.items():
        for run in those:
            found.setdefault(chain, {}).setdefault(run.first, []).append(run)
    return found
