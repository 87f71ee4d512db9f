"""The shape of the house: lengths of modules, a first sentence in each, error codes that mean one thing."""

from __future__ import annotations

import ast
import os
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE = 500
LONG_MODULE_P90 = 300
PACK_CODE = 150


@cache
def modules() -> dict[str, str]:
    """Python modules of the product: src and the packs' code, without migrations."""
    found = {}
    for top in ("src", "packs"):
        for path in (ROOT / top).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if "/migrations/" not in name and "node_modules" not in name:
                found[name] = path.read_text(encoding="utf-8")
    return found


def test_no_module_is_too_long() -> None:
    lengths = {name: text.count("\n") for name, text in modules().items()}
    too_long = {name: length for name, length in lengths.items() if length > LONGEST_MODULE}
    assert not too_long, "split them where the subject changes"
    ordered = sorted(lengths.values())
    p90 = ordered[int(len(ordered) * 0.9)]
    print(f"{len(ordered)} modules, median {ordered[len(ordered) // 2]} lines, p90 {p90}, longest {ordered[-1]}")
    assert p90 <= LONG_MODULE_P90


def test_a_packs_code_stays_small() -> None:
    long = {name: text.count("\n") for name, text in modules().items() if name.startswith("packs/")}
    assert not {name: length for name, length in long.items() if length > PACK_CODE}


def test_every_module_says_what_it_is() -> None:
    silent = [
        name
        for name, text in modules().items()
        if text.strip()
        and "/tests/" not in name
        and not name.endswith("/apps.py")
        and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent, "open the module with a sentence: what it is and why it exists"


def test_every_error_code_means_one_thing() -> None:
    """A code is found in help pages and logs for years: it is never given to a second error."""
    codes = Counter(
        str(statement.value.value)
        for text in modules().values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and [getattr(target, "id", "") for target in statement.targets] == ["code"]
        and isinstance(statement.value, ast.Constant)
    )
    assert not [code for code, times in codes.items() if times > 1]


def test_the_commands_can_be_run() -> None:
    commands = [path for path in (ROOT / "bin").iterdir() if path.suffix == ""] + [ROOT / ".ci/run"]
    assert not [path.name for path in commands if not os.access(path, os.X_OK)]
