"""The reference is printed from the models, and the manual shows only what is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from zhiwan.kernel.packs.replays import Replay
from zhiwan.kernel.packs.shape import shaped
from zhiwan.kernel.packs.stories import Story, StoryStep
from zhiwan.kernel.packs.strict_yaml import parse_yaml
from zhiwan.kernel.proof.reference import pages
from zhiwan.kernel.proof.schemas import schemas

DOCS = Path(__file__).parents[3] / "docs"
ANEW = "out of date: run `python -m zhiwan.kernel.proof.reference` and commit docs/reference"


@pytest.mark.parametrize("name", sorted(pages()))
def test_printed_pages_are_current(name: str) -> None:
    assert (DOCS / "reference" / name).read_text("utf-8") == pages()[name], ANEW


@pytest.mark.parametrize("name", sorted(schemas()))
def test_schemas_are_current(name: str) -> None:
    text = (DOCS / "reference" / "schemas" / name).read_text("utf-8")
    assert text == schemas()[name], ANEW
    assert json.loads(text)["$schema"]


def test_no_schema_is_left_over() -> None:
    assert {path.name for path in (DOCS / "reference" / "schemas").iterdir()} == set(schemas())


def test_the_replays_in_the_manual_are_replays() -> None:
    manual = (DOCS / "how-to" / "write-a-pack.md").read_text("utf-8")
    section = manual[manual.index("## tests/*.yml") :]
    example = re.search(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert example is not None
    replays = shaped(parse_yaml(example[1].encode(), "write-a-pack.md"), list[Replay])
    assert [replay.kind for replay in replays] == ["fires", "late"]


def test_the_story_in_the_manual_is_a_story() -> None:
    manual = (DOCS / "how-to" / "write-a-story.md").read_text("utf-8")
    example = re.search(r"```yaml\n(.*?)```", manual, re.DOTALL)
    assert example is not None
    story = shaped(parse_yaml(example[1].encode(), "write-a-story.md"), Story)
    assert story.moment(story.steps[-1].at) > story.start
    keys = set(StoryStep.model_fields) - {"at", "title", "text"}
    assert [key for key in keys if f"| `{key}` |" not in manual] == []


def test_the_manuals_name_every_file() -> None:
    manual = "".join(path.read_text("utf-8") for path in (DOCS / "how-to").glob("write-*.md"))
    missing = [name for name in re.findall(r"## (\S+\.yml) of a pack", pages()["pack-files.md"]) if name not in manual]
    assert missing == []
