"""How expensive a tree is: engines repeat a part to look at it twice, and repetition multiplies with depth."""

from __future__ import annotations

from functools import lru_cache

from zhiwan.kernel.judge.expressions import nodes as n

MAX_WEIGHT = 3_000


@lru_cache(maxsize=50_000)
def weight(node: n.Expr) -> int:
    """How often leaves and operators are calculated when an engine repeats a part to look at it twice."""
    total = 1
    for child in node.children():
        times = 2 if n.may_overflow(child) and not isinstance(node, n.Add | n.Subtract | n.Multiply | n.Negate) else 1
        if isinstance(node, n.Call) and node.function in {"least", "greatest", "power"}:
            times *= 3
        elif isinstance(node, n.Between | n.Call):
            times *= 2
        total += times * weight(child)
    return total
