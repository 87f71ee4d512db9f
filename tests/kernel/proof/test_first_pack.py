"""The tutorial is true: its blocks are the pack that ships, and its commands say what stands under them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zhiwan.run.pack_commands import packs_app

CHECKOUT = Path(__file__).parents[3]
TUTORIAL = (CHECKOUT / "docs" / "how-to" / "first-pack.md").read_text("utf-8")
SHIPPED = CHECKOUT / "packs" / "base" / "lamps"
_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: `yaml FILE [anew]` is written, `console` is run, all others are for people."""

    words: tuple[str, ...]
    body: str


BLOCKS = [Block(tuple(found["info"].split()), found["body"]) for found in _BLOCK.finditer(TUTORIAL)]


def follow(block: Block, folder: Path, seen: set[str]) -> None:
    """What a reader does with a block: write it, put it at the end of its file, or run it and compare."""
    match block.words:
        case ("yaml", name, *how):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file.read_text("utf-8") if name in seen and "anew" not in how else ""
            file.write_text(before + block.body, "utf-8")
            seen.add(name)
        case ("console",):
            for command, said in re.findall(r"^\$ (.*)\n((?:[^$\n].*\n|\n)*)", block.body, re.MULTILINE):
                assert run(command) == said, command


def run(command: str) -> str:
    """`bin/zhiwan pack …` in this process, `rm` in a shell; what it prints."""
    words = command.split()
    if words[0] == "rm":
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert words[:2] == ["bin/zhiwan", "pack"], f"the tutorial runs something that this test cannot: {command}"
    more = ["--root", "packs"] if words[2] == "new" else []
    return CliRunner().invoke(packs_app, [*words[2:], *more]).output


@pytest.mark.mission("A18")
def test_a_reader_who_copies_every_block_has_the_pack_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZHIWAN_PACKS", raising=False)
    folder, seen = tmp_path / "packs/base/lamps", set[str]()
    for block in BLOCKS:
        follow(block, folder, seen)
    written = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.yml")}
    shipped = {path.relative_to(SHIPPED).as_posix(): path.read_text("utf-8") for path in SHIPPED.rglob("*.yml")}
    assert written == shipped


def test_each_block_stands_under_the_name_of_its_file() -> None:
    for name in {block.words[1] for block in BLOCKS if block.words[:1] == ("yaml",)}:
        told = re.findall(rf"^`{re.escape(name)}`.*\n```yaml {re.escape(name)}", TUTORIAL, re.MULTILINE)
        assert len(told) == sum(block.words[:2] == ("yaml", name) for block in BLOCKS), name
