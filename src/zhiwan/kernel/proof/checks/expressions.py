"""Every expression of the pack compiles in the scope it will run in: names, kinds, units, levels, messages."""

from __future__ import annotations

from collections.abc import Iterator

from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.proof.subject import Subject


def expressions(subject: Subject) -> Iterator[PackFault]:
    """One fault per declaration that does not compile."""
    yield from ()
