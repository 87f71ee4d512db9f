"""Random expressions of every node type, and random rows with nulls, zeros and huge values."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.expressions.weight import MAX_WEIGHT, weight

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, 2.0, 3.0, 1e308, -1e308, 5e-324, 1e-300, 709.0, 0.1, 100.0]
numbers = st.one_of(st.sampled_from(EDGES), st.integers(-6, 6).map(float), st.floats(-1e6, 1e6))
NUMBER_LEAVES: list[n.Expr] = [
    n.Name("value", "number"), n.Name("a", "number"), n.Previous(), n.Parameter("p"),
    n.Latest("up", "level"), n.Window("mean", 3600), n.Name('odd "name"', "number"),
]  # fmt: skip
LEAVES: list[n.Leaf] = [
    *(leaf for leaf in NUMBER_LEAVES if isinstance(leaf, n.Leaf)),
    n.Name("b", "boolean"), n.Name("t", "text"), n.Name("at", "time"), n.Name("at2", "time"),
]  # fmt: skip
texts = st.sampled_from(["", "x", "it's", "Ⅰ级", "a--b", "}"])
times = st.integers(0, 3).map(lambda hours: datetime(2026, 1, 1, hours, tzinfo=UTC))


ONE = ["abs", "round", "floor", "ceil", "sqrt", "ln", "exp"]
MANY = ["least", "greatest", "coalesce"]


def number_exprs(depth: int) -> st.SearchStrategy[n.Expr]:
    flat = st.one_of(st.sampled_from(NUMBER_LEAVES), numbers.map(n.Number), st.just(n.Missing("number")))
    if depth == 0:
        return flat
    below = st.deferred(lambda: number_exprs(depth - 1))
    one = st.sampled_from(ONE)
    many = st.sampled_from(MANY)
    return st.one_of(
        flat,
        st.builds(n.Negate, below),
        *(st.builds(node, below, below) for node in (n.Add, n.Subtract, n.Multiply, n.Divide)),
        st.builds(lambda f, x: n.Call(f, (x,)), one, below),
        st.builds(lambda x, d: n.Call("round", (x, n.Number(float(d)))), below, st.integers(0, 9)),
        st.builds(lambda x, y: n.Call("power", (x, y)), below, below),
        st.builds(lambda f, xs: n.Call(f, tuple(xs)), many, st.lists(below, min_size=1, max_size=3)),
        cases(below, depth),
    )


def cases(results: st.SearchStrategy[n.Expr], depth: int) -> st.SearchStrategy[n.Expr]:
    branch = st.tuples(st.deferred(lambda: truth_exprs(depth - 1)), results)
    return st.builds(n.Case, st.lists(branch, min_size=1, max_size=2).map(tuple), results)


def text_exprs(depth: int) -> st.SearchStrategy[n.Expr]:
    flat = st.one_of(texts.map(n.Text), st.just(n.Name("t", "text")), st.just(n.Missing("text")))
    return flat if depth == 0 else st.one_of(flat, cases(flat, depth))


def truth_exprs(depth: int) -> st.SearchStrategy[n.Expr]:
    flat = st.one_of(st.booleans().map(n.Truth), st.just(n.Name("b", "boolean")), st.just(n.Missing("boolean")))
    if depth == 0:
        return flat
    truths = st.deferred(lambda: truth_exprs(depth - 1))
    x = st.deferred(lambda: number_exprs(depth - 1))
    t = st.deferred(lambda: text_exprs(depth - 1))
    at = st.sampled_from([n.Name("at", "time"), n.Name("at2", "time")])
    ordered = (n.Equal, n.NotEqual, n.Less, n.LessEqual, n.Greater, n.GreaterEqual)
    return st.one_of(
        flat,
        *(st.builds(node, x, x) for node in ordered),
        *(st.builds(node, at, at) for node in ordered),
        *(st.builds(node, side, side) for node in (n.Equal, n.NotEqual) for side in (t, truths)),
        st.builds(n.Between, x, x, x),
        st.builds(lambda v, items: n.InList(v, tuple(items)), x, st.lists(x, min_size=1, max_size=3)),
        st.builds(lambda v, items: n.InList(v, tuple(items)), t, st.lists(t, min_size=1, max_size=3)),
        st.builds(n.IsMissing, st.one_of(x, t, truths)),
        st.builds(n.Not, truths),
        st.builds(n.And, truths, truths),
        st.builds(n.Or, truths, truths),
        cases(truths, depth),
    )


def operations(depth: int = 2) -> dict[str, st.SearchStrategy[n.Expr]]:
    """For every operation of the language, random expressions with that operation on top."""
    x, t, truths = number_exprs(depth), text_exprs(depth), truth_exprs(depth)
    made: dict[str, st.SearchStrategy[n.Expr]] = {
        "Number": numbers.map(n.Number), "Text": texts.map(n.Text), "Truth": st.booleans().map(n.Truth),
        "Missing": st.sampled_from(["number", "text", "boolean", "time"]).map(n.Missing),
        "Negate": st.builds(n.Negate, x), "Not": st.builds(n.Not, truths),
        "And": st.builds(n.And, truths, truths), "Or": st.builds(n.Or, truths, truths),
        "Between": st.builds(n.Between, x, x, x), "IsMissing": st.builds(n.IsMissing, st.one_of(x, t, truths)),
        "InList": st.builds(lambda v, items: n.InList(v, tuple(items)), x, st.lists(x, min_size=1, max_size=3)),
        "Case": st.one_of(cases(x, depth), cases(t, depth), cases(truths, depth)),
        "power": st.builds(lambda a, b: n.Call("power", (a, b)), x, x),
        "decimals": st.builds(lambda a, d: n.Call("round", (a, n.Number(float(d)))), x, st.integers(0, 9)),
        "any": st.one_of(number_exprs(depth + 1), truth_exprs(depth + 1)),
    }  # fmt: skip
    for leaf in LEAVES:
        made[type(leaf).__name__] = st.sampled_from([other for other in LEAVES if type(other) is type(leaf)])
    for node in (*n.Arithmetic.__subclasses__(), *n.Comparison.__subclasses__()):
        made[node.__name__] = st.builds(node, x, x)
    for name in ONE:
        made[name] = st.builds(lambda a, name=name: n.Call(name, (a,)), x)
    for name in MANY:
        made[name] = st.builds(lambda xs, name=name: n.Call(name, tuple(xs)), st.lists(x, min_size=1, max_size=3))
    return {name: strategy.filter(lambda e: weight(e) <= MAX_WEIGHT) for name, strategy in made.items()}


def row() -> st.SearchStrategy[dict[str, object]]:
    of = {"number": numbers, "boolean": st.booleans(), "text": texts, "time": times}
    return st.fixed_dictionaries({leaf.key: st.none() | of[leaf.kind] for leaf in LEAVES})


rows = st.lists(row(), min_size=1, max_size=5)
