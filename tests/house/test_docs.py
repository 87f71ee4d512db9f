"""The documents hold together: links lead somewhere, decisions are listed, drawings are those of their scripts."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def documents() -> list[Path]:
    """Every Markdown file that git keeps."""
    kept = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.md"], capture_output=True, text=True, check=True)
    return [ROOT / name for name in kept.stdout.split()]


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    files = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    assert [name for name in files if name and not (page.parent / name).exists()] == []


def test_every_decision_is_listed_with_its_title() -> None:
    listed = (ROOT / "docs/adr/README.md").read_text("utf-8")
    for page in sorted((ROOT / "docs/adr").glob("[0-9]*.md")):
        number, title = re.match(r"# (\d+)\. (.+)", page.read_text("utf-8")).groups()  # type: ignore[union-attr]
        assert f"| [{number}]({page.name}) | {title} |" in listed


def test_the_loop_is_drawn_as_its_script_says() -> None:
    drawn = runpy.run_path(str(ROOT / "docs/explain/draw_loop.py"))["drawing"]()
    now = (ROOT / "docs/explain/loop.svg").read_text("utf-8")
    assert now == drawn, "python docs/explain/draw_loop.py"
