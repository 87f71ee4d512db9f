"""The tree of an expression: what it means, before any engine. Import it as `n`: this is the whole vocabulary.

    tree.py        what every node is        values.py   literals and leaves        operations.py   what computes

Every node is frozen and has a `kind`. A number is a double, a truth is true, false or unknown, and *missing* (NULL)
is a value of every kind. What each node does with missing values is said in its docstring and proved by the tables in
tests/spec; engines/reference.py is the law where a docstring is silent.

Overflow, division by zero and arguments outside a function's domain give missing: infinities and NaN never appear.
"""

from __future__ import annotations

from zhiwan.kernel.judge.expressions.operations import (
    FUNCTIONS,
    Add,
    And,
    Arithmetic,
    Between,
    Call,
    Case,
    Comparison,
    Divide,
    Equal,
    Greater,
    GreaterEqual,
    InList,
    IsMissing,
    Less,
    LessEqual,
    Multiply,
    Negate,
    Not,
    NotEqual,
    Or,
    Subtract,
    may_overflow,
)
from zhiwan.kernel.judge.expressions.tree import (
    Expr,
    Kind,
)
from zhiwan.kernel.judge.expressions.values import (
    WINDOW_FUNCTIONS,
    Latest,
    Leaf,
    Missing,
    Name,
    Number,
    Parameter,
    Previous,
    Text,
    Truth,
    Window,
    WindowFunction,
    leaves,
)

__all__ = [
    "FUNCTIONS",
    "WINDOW_FUNCTIONS",
    "Add",
    "And",
    "Arithmetic",
    "Between",
    "Call",
    "Case",
    "Comparison",
    "Divide",
    "Equal",
    "Expr",
    "Greater",
    "GreaterEqual",
    "InList",
    "IsMissing",
    "Kind",
    "Latest",
    "Leaf",
    "Less",
    "LessEqual",
    "Missing",
    "Multiply",
    "Name",
    "Negate",
    "Not",
    "NotEqual",
    "Number",
    "Or",
    "Parameter",
    "Previous",
    "Subtract",
    "Text",
    "Truth",
    "Window",
    "WindowFunction",
    "leaves",
    "may_overflow",
]
