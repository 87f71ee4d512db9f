"""What the language refuses, where, and what it says to do."""

from __future__ import annotations

import pytest
from building import book_of, pack, packs, rule

from zhiwan.kernel.judge import ExpressionRefused, Known, RuleRefused, Scope, parse

SCOPE = Scope(
    {"value": Known(unit="m"), "w": Known(unit="m"), "c": Known(unit="cm"), "b": Known("boolean"), "t": Known("text"),
     "observed_at": Known("time")},
    {"limit": Known(unit="m")}, {"up": {"level": Known(unit="m")}}, Known(unit="m"),
)  # fmt: skip

REFUSED = {
    "a subquery": ("value IN (SELECT w)", 0),
    "a scalar subquery": ("value > (SELECT 1)", None),
    "a statement": ("DROP TABLE x", None),
    "an update": ("UPDATE x SET y = 1", None),
    "a setting": ("SET x = 1", None),
    "several statements": ("value > 1; value > 2", 9),
    "a trailing semicolon": ("value > 1;", 9),
    "a line comment": ("value > 1 -- OR TRUE", None),
    "a block comment": ("value /* hidden */ > 1", None),
    "a comment that eats a sign": ("value --1 > 1", None),
    "an unlisted function": ("random() > value", 0),
    "a file function": ("read_text('/etc/passwd') = t", 0),
    "the clock": ("now() > observed_at", 0),
    "a cast": ("CAST(value AS TEXT) = t", None),
    "a short cast": ("value::text = t", None),
    "a typed literal": ("DATE '2026-01-01' < observed_at", None),
    "a lambda": ("list_transform(value, x -> x)", None),
    "an aggregate over": ("value > sum(value) OVER ()", None),
    "a filter": ("count(value, '1h') FILTER (WHERE b) > 1", None),
    "a star": ("count(*) > 1", None),
    "an alias": ("value AS x", 0),
    "a collation": ("t COLLATE de = 'x'", None),
    "a pattern": ("t LIKE 'x%'", None),
    "a text sum": ("t || 'x' = 'ax'", None),
    "a remainder": ("value % 2 = 1", None),
    "bits": ("value & 1 = 1", None),
    "an unknown name": ("valeu > 1", 0),
    "an unknown name further on": ("value > 1 AND wrng > 2", 14),
    "an unknown parameter": ("value > :limt", None),
    "an unknown link": ("latest(down.level) > 1", 0),
    "an unknown property of a link": ("latest(up.flow) > 1", 0),
    "latest of nothing": ("latest(value) > 1", 0),
    "a window without a span": ("mean(value) > 1", 0),
    "a window of something else": ("mean(w, '1h') > 1", 0),
    "a span without a unit": ("mean(value, '10') > 1", 0),
    "a span of years": ("mean(value, '400d') > 1", 0),
    "text against number": ("t > 1", 0),
    "an order of texts": ("t < 'x'", 0),
    "a number for a truth": ("value AND b", 0),
    "a chain of comparisons": ("1 < value < 3", None),
    "different units": ("value > c", 0),
    "different units in a sum": ("value + c > 1", 0),
    "mixed results": ("CASE WHEN b THEN 1 ELSE 'x' END > 0", None),
    "decimals that vary": ("round(value, w) > 1", 0),
    "too many arguments": ("abs(value, 1) > 1", 0),
    "nothing": ("   ", 0),
    "only NULL": ("NULL", 0),
    "a number beyond a double": ("value > 1e999", None),
    "deep nesting": ("(" * 300 + "value" + ")" * 300 + " > 1", None),
    "a long text": ("value > 1 OR " * 300 + "b", None),
    "an expensive tree": ("(value / " * 12 + "value" + ")" * 12 + " > 1", None),
    "half an expression": ("value >", None),
    "Python": ("__import__('os').system('true')", None),
    "a template": ("{{ value }}", None),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_position_and_next_step(what):
    text, position = REFUSED[what]
    with pytest.raises(ExpressionRefused) as refused:
        parse(text, SCOPE, kind="boolean")
    shown = refused.value.as_dict()
    assert shown["code"] == "JUDGE-001"
    assert "?" not in shown["hint"].replace("Did you mean", "").removesuffix("?")
    assert shown["hint"]
    assert 0 <= refused.value.position <= len(text)
    if position is not None:
        assert refused.value.position == position


def test_a_near_miss_is_pointed_at():
    with pytest.raises(ExpressionRefused, match='Did you mean "value"'):
        parse("valeu > 1", SCOPE)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (rule("r", when="valeu > 1"), 'rule "test.river.r", when'),
        (rule("r", message={"zh": "{valeu}", "en": "x"}), "message.zh"),
        (rule("r", where="value > 1"), "where"),
        (rule("r", level="'purple'"), 'no level "purple"'),
        (rule("r", when=None), "neither when nor absent"),
    ],
)
def test_a_refused_rule_says_which_key(declared, words):
    with pytest.raises((ExpressionRefused, RuleRefused)) as refused:
        book_of(packs(pack([declared])))
    assert words in str(refused.value)


def test_derive_steps_in_a_circle_are_refused():
    steps = [
        {"id": one, "title": {"zh": "x", "en": "x"}, "of": "Station", "inputs": [a], "outputs": [b], "code": "x:hourly"}
        for one, a, b in [("one", "rain", "risk"), ("two", "risk", "rain")]
    ]
    with pytest.raises(RuleRefused, match="circle"):
        book_of(packs(pack([], derives=steps)))
