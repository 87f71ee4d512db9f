"""Every expression of the pack compiles in the scope it will run in: names, kinds, units, levels, messages.

The judge itself compiles, one declaration at a time, so that each mistake is told and none hides another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zhiwan.kernel.facts.errors import PackBroken
from zhiwan.kernel.judge import ExpressionRefused, RuleBook
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.subject import Spot, Subject, spot


def expressions(subject: Subject) -> Iterator[PackFault]:
    """One fault per declaration that does not compile."""
    for number, rule in enumerate(subject.pack.rules):
        yield from _compiled(subject, spot("rules.yml", number, rule.id, "rules"), {"rules": [rule]})
    for number, indicator in enumerate(subject.pack.indicators):
        yield from _compiled(subject, spot("indicators.yml", number, indicator.id), {"indicators": [indicator]})
    for number, step in enumerate(subject.pack.derives):
        yield from _compiled(subject, spot("derive.yml", number, step.id), {"derives": [step]})
    if len(subject.pack.derives) > 1:  # a circle shows only when all stand together
        yield from _compiled(subject, Spot("derive.yml", (), "derive"), {"derives": subject.pack.derives})


def _compiled(subject: Subject, here: Spot, only: dict[str, Any]) -> Iterator[PackFault]:
    nothing: dict[str, Any] = {"rules": [], "indicators": [], "derives": []}
    own = subject.pack.id
    packs = PackSet(pack.model_copy(update=nothing | (only if pack.id == own else {})) for pack in subject.packs.packs)
    try:
        RuleBook.compile(packs, code=_not_run)
    except PackBroken as refused:
        texts = refused.as_dict()
        at = here
        if isinstance(refused, ExpressionRefused) and refused.key:
            at = here.into(*refused.key.split("."))
        yield subject.fault(faults.ExpressionWrong, at, problem=texts["fact"], advice=texts["hint"])


def _not_run(pack: Pack, name: str) -> Callable[..., Any]:
    """Checking runs no code of a pack; whether the function exists is asked in checks/code.py."""
    return _not_run
