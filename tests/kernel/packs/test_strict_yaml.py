"""YAML 1.2 without surprises: what is read, what is refused, and on which line."""

from __future__ import annotations

import contextlib
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from zhiwan.kernel.packs import broken
from zhiwan.kernel.packs.strict_yaml import MAX_BYTES, MAX_NODES, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("no", "no"), ("off", "off"), ("true", True), ("~", None), ("", None),
        ("12", 12), ("-3.5", -3.5), ("1e3", 1000.0), (".5", 0.5), ("0", 0), ("12:30", "12:30"), ("'017'", "017"),
        ("2026-03-01", "2026-03-01"), ("'310116'", "310116"), ("|\n two\n lines", "two\nlines\n"), ("a b", "a b"),
    ],
)  # fmt: skip
def test_plain_values_are_what_yaml_1_2_says(text: str, value: object) -> None:
    found = parse_yaml(f"key: {text}\n".encode(), "a.yml").value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "fault", "line"),
    [
        ("a: 1\nb: 017", broken.SurprisingScalar, 2),
        ("a: 0o17", broken.SurprisingScalar, 1),
        ("a: 0x1F", broken.SurprisingScalar, 1),
        ("a: 1_000", broken.SurprisingScalar, 1),
        ("a: -.inf", broken.SurprisingScalar, 1),
        ("a: .nan", broken.SurprisingScalar, 1),
        ("a: 1e999", broken.SurprisingScalar, 1),
        ("a: 310116001002001999", broken.SurprisingScalar, 1),
        ("a: 1\na: 2", broken.KeyTwice, 2),
        ("a:\n  b: 1\n  c: 2\n  b: 3", broken.KeyTwice, 4),
        ("a: &x 1", broken.CleverYaml, 1),
        ("a: *x", broken.CleverYaml, 1),
        ("<<: {a: 1}", broken.CleverYaml, 1),
        ("a: !!int 3", broken.CleverYaml, 1),
        ("a: 1\n---\nb: 2", broken.CleverYaml, 2),
        ("%YAML 1.1\n---\na: 1", broken.CleverYaml, 1),
        ("? {a: 1}\n: 2", broken.CleverYaml, 1),
        ("a: [1, 2", broken.NotYaml, 1),
        ("a: 'x", broken.NotYaml, 1),
        ("a: b: c", broken.NotYaml, 1),
        ("a:\n\t- 1", broken.NotYaml, 2),
        ("[" * 5000, broken.YamlBomb, 1),
        ("- [" + "1," * (MAX_NODES + 1) + "]", broken.YamlBomb, 1),
        ("#" * (MAX_BYTES + 1), broken.YamlBomb, 0),
    ],
)
def test_what_could_mean_two_things_is_refused_with_its_line(text: str, fault: type, line: int) -> None:
    with pytest.raises(fault) as refused:
        parse_yaml(text.encode(), "a.yml")
    assert refused.value.file == "a.yml"
    # An open bracket or quote is noticed at the end of the text.
    assert refused.value.line in (line, text.count("\n") + 1, text.count("\n") + 2)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(broken.NotYaml) as refused:
        parse_yaml(b"a: 1\nb: \xff\xfe", "a.yml")
    assert refused.value.line == 2


def test_laughs_do_not_multiply() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(broken.CleverYaml):
        parse_yaml(bomb.encode(), "a.yml")


_KEYS = st.text("abcdefghij_", min_size=1, max_size=8)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text("on0x1.:-#{}[]&*!|>'\"%@~ \n\t水", max_size=12)
    | st.floats(allow_nan=False)
)
_TREES = st.recursive(
    _SCALARS.filter(lambda value: not isinstance(value, float) or math.isfinite(value)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(_KEYS, _TREES, max_size=4))
def test_whatever_a_yaml_1_2_writer_writes_is_read_back_or_refused(tree: dict[str, object]) -> None:
    writer = YAML(typ="safe", pure=True)
    writer.version = None
    writer.width = 1_000_000  # where it folds after a tab it writes a space too many, which its own reader reads back
    writer.representer.ignore_aliases = lambda data: True
    target = io.StringIO()
    writer.dump(tree, target)
    try:
        found = parse_yaml(target.getvalue().encode("utf-8", "surrogatepass"), "a.yml").value
    except broken.PackFault:
        return
    assert found == tree


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    with contextlib.suppress(broken.PackFault):
        parse_yaml(data, "a.yml")
