"""Checks whole packs: first each file by itself (packs.load), then everything that must hold between declarations.

    faults = check_pack(Path("packs/life/air"), among=load_readable([Path("packs")]))

A fault is an error that is told instead of raised; an empty list is a sound pack. Nothing of the pack's code is run
unless all else is sound: expressions and derive steps are compiled last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from zhiwan.kernel.facts.errors import PackBroken
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.load import load_pack, pack_folders, read_pack
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.proof.against import against
from zhiwan.kernel.proof.checks import code, expressions, ledger, parameters, pointers, replays, stories, types
from zhiwan.kernel.proof.subject import Subject

Check = Callable[[Subject], Iterator[PackFault]]

CHECKS: tuple[Check, ...] = (
    types.manifest,
    types.types,
    parameters.parameters,
    pointers.rules,
    pointers.derives,
    pointers.indicators,
    pointers.actions,
    pointers.views,
    pointers.feeds,
    code.code,
    replays.replays,
    stories.stories,
    ledger.ledger,
)


def check_pack(
    folder: Path,
    among: Iterable[Pack] = (),
    roles: Collection[str] | None = None,
    rows: Collection[str] | None = None,
    before: Path | None = None,
) -> list[PackBroken]:
    """Everything wrong with one pack, in the order of the checks; empty when it is sound.

    `among` are the other packs it may name (one with the same id is left out), `roles` and `rows` the roles of the
    place and the rows of its plan; without them no post and no row is checked. `before` is the folder of the same pack
    as it was: see against.py.
    """
    try:
        read = read_pack(folder)
    except PackBroken as fault:
        return [fault]
    others = [pack for pack in among if pack.id != read.pack.id]
    if taken := list(types.types_taken(read, others)):
        return list(taken)
    subject = Subject(read, PackSet.of([read.pack, *others]), roles, rows)
    faults: list[PackBroken] = [fault for check in CHECKS for fault in check(subject)]
    faults += against(subject, before) if before is not None else ()
    # Compiling with names that lead nowhere would only repeat what was told.
    return faults or list(expressions.expressions(subject))


def load_readable(roots: Sequence[Path]) -> list[Pack]:
    """The packs below the roots that can be read; the others are told by their own check."""
    found = []
    for root in roots:
        for folder in pack_folders(root):
            try:
                found.append(load_pack(folder))
            except PackBroken:
                continue
    return found
