"""What a tree tells of itself to who reads a rule: what it can give, what the watched value is held against."""

from __future__ import annotations

from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.expressions.show import show


def results(expr: n.Expr) -> list[n.Expr]:
    """What an expression can give: the ends of its choices."""
    if isinstance(expr, n.Case):
        ends = [value for _, value in expr.branches] + [expr.otherwise]
        return [result for end in ends for result in results(end)]
    if isinstance(expr, n.Call) and expr.function == "coalesce":
        return [result for argument in expr.arguments for result in results(argument)]
    return [expr]


def limits(when: n.Expr) -> dict[str, n.Expr]:
    """The numbers that a condition compares `value` with, by the parameter's id or their own text."""
    value = n.Name("value", "number")
    found: dict[str, n.Expr] = {}
    for node in when.walk():
        sides: tuple[n.Expr, ...] = ()
        if isinstance(node, n.Comparison) and value in (node.left, node.right):
            sides = (node.right if node.left == value else node.left,)
        elif isinstance(node, n.Between) and node.operand == value:
            sides = (node.low, node.high)
        for side in sides:
            if side.kind == "number" and value not in n.leaves(side):
                found[side.id if isinstance(side, n.Parameter) else show(side)] = side
    return found
