"""House rules: each line of the project against rules.yml, and each rule against its own good and bad lines."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Rule:
    rule: str
    files: list[str]
    say: str
    good: list[str]
    bad: list[str]
    finds: str | None = None
    path: str | None = None
    legacy: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()

    def catches_line(self, line: str) -> bool:
        return bool(re.search(self.finds or self.path or "(?!)", line))

    def covers(self, file: str) -> bool:
        return file not in self.excepted and any(matches(file, pattern) for pattern in self.files)

    def breaches(self, file: str, text: str) -> list[str]:
        if self.path:
            return [file] if re.search(self.path, file) else []
        return [
            f"{file}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if self.catches_line(line)
        ]


def matches(file: str, pattern: str) -> bool:
    """Glob with `**` for any number of folders (PurePath.match learns it only in Python 3.13)."""
    parts = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.fullmatch(parts, file) is not None


@cache
def rules() -> tuple[Rule, ...]:
    loaded: list[dict[str, Any]] = YAML(typ="safe", pure=True).load((ROOT / "tests/house/rules.yml").read_text("utf-8"))
    return tuple(
        Rule(**{"legacy": tuple(one.pop("legacy", ())), "excepted": tuple(one.pop("except", ())), **one})
        for one in loaded
    )


@cache
def tracked() -> tuple[tuple[str, str], ...]:
    """Every text file that is, or would be, in the repository, with its text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    found = []
    for name in filter(None, listed):
        path = ROOT / PurePosixPath(name)
        if path.is_file() and path.stat().st_size < 3_000_000:
            raw = path.read_bytes()
            if b"\0" not in raw[:4096]:
                found.append((name, raw.decode("utf-8", errors="replace")))
    return tuple(found)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.rule)
def test_the_project_keeps_the_rule(rule: Rule) -> None:
    broken = {file: found for file, text in tracked() if rule.covers(file) and (found := rule.breaches(file, text))}
    fresh = [line for file, found in broken.items() if file not in rule.legacy for line in found]
    assert not fresh, f"{rule.say}\n" + "\n".join(fresh[:20])
    mended = [file for file in rule.legacy if file not in broken]
    assert not mended, f"these keep the rule now; take them off the legacy list: {mended}"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.rule)
def test_the_rule_bites_and_lets_pass(rule: Rule) -> None:
    assert [line for line in rule.good if rule.catches_line(line)] == []
    assert [line for line in rule.bad if not rule.catches_line(line)] == []
