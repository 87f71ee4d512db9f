"""quality.yml: the ledger names known qualities, each once. Later issues let it only improve."""

from __future__ import annotations

from collections.abc import Iterator

from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.subject import Spot, Subject

#: Quality → what it means; printed in docs/how-to/write-a-pack.md.
QUALITIES: dict[str, str] = {
    "fires_and_silent_replay": "every rule has a replay that fires and one that stays silent",
    "late_and_missing_replay": "every rule has a replay with late and one with missing data",
    "owner_named": "pack.yml names the line of duty that answers for it",
    "both_languages": "every sentence is in Chinese and English",
    "sources_named": "every parameter names its document and clause",
    "sources_verified": "no parameter is 待核实 any more: all were compared with the text",
    "independent_computation": "code is held equal to a plain computation written apart from it",
    "real_data": "it has run on data of a real source",
    "outcome_feedback": "closed cases score its rules",
    "backtest": "its rules were run over at least 90 days of history",
    "skill_scored": "what it predicts is scored afterwards",
    "runbook_reviewed": "an officer of the trade has read the advice texts",
}


def ledger(subject: Subject) -> Iterator[PackFault]:
    """Unknown keys, keys in two lists, exemptions without a reason, claims the pack itself disproves."""
    quality, here = subject.pack.quality, Spot("quality.yml", (), "quality")
    known = ", ".join(QUALITIES)
    seen: set[str] = set()
    listings = [("done", number, key) for number, key in enumerate(quality.done)]
    listings += [("todo", number, key) for number, key in enumerate(quality.todo)]
    for part, number, key in listings:
        problem = _problem(key, seen)
        if problem:
            yield subject.fault(faults.LedgerUnknown, here.into(part, number), problem=problem, known=known)
    for key, reason in quality.exempt.items():
        problem = _problem(key, seen) or ("" if reason.strip() else f'the exemption of "{key}" has no reason')
        if problem:
            yield subject.fault(faults.LedgerUnknown, here.into("exempt", key), problem=problem, known=known)
    unverified = any(entry.verify for one in subject.pack.parameters for entry in one.in_force)
    if "sources_verified" in quality.done and unverified:
        problem = "sources_verified is said to be done, but a parameter still says `verify: true`"
        yield subject.fault(faults.LedgerUnknown, here.into("done"), problem=problem, known=known)


def _problem(key: str, seen: set[str]) -> str:
    if key not in QUALITIES:
        return f'"{key}" is no quality of the ledger'
    if key in seen:
        return f'"{key}" stands twice'
    seen.add(key)
    return ""
