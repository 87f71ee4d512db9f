"""How the audit stands: last signed, last checked, with what result. For the health page and the audit page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from zhiwan.city.people.models import AuditChain, AuditRun, AuditSigning, Organisation

SIGNED_EVERY = timedelta(minutes=5)
LATE = 4 * SIGNED_EVERY


@dataclass(frozen=True)
class Standing:
    """`whole` is None where no check ended yet."""

    signed_at: datetime | None
    key: str
    problem: str
    checked_at: datetime | None
    whole: bool | None
    findings: int

    def late(self, now: datetime) -> bool:
        """Whether a signature is overdue."""
        return self.signed_at is None or now - self.signed_at > LATE


@dataclass(frozen=True)
class ChainRow:
    """One chain for the page. `body` is empty for processes and accounts."""

    chain: str
    body: Organisation | None
    seq: int
    recorded_at: datetime
    unsigned: int


def standing() -> Standing:
    signing = AuditSigning.objects.first()
    last = AuditRun.objects.filter(kind="verify", state="done").order_by("-ended_at").first()
    report: dict[str, Any] = (last.report or {}) if last else {}
    return Standing(
        signed_at=signing.at if signing else None,
        key=signing.key if signing else "",
        problem=signing.problem if signing else "",
        checked_at=last.ended_at if last else None,
        whole=report.get("whole"),
        findings=len(report.get("findings", [])) + int(report.get("findings_left_out", 0)),
    )


def chains(most: int = 200) -> list[ChainRow]:
    """The chains that grew last."""
    rows = list(AuditChain.objects.exclude(seq=0).order_by("-recorded_at")[:most])
    bodies = Organisation.objects.in_bulk([one.chain.removeprefix("org:") for one in rows])
    return [
        ChainRow(
            one.chain,
            bodies.get(one.chain.removeprefix("org:")) if one.chain.startswith("org:") else None,
            one.seq,
            one.recorded_at,
            max(0, one.seq - one.signed_seq),
        )
        for one in rows
    ]
