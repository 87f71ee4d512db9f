"""`zhiwan pack` as an author meets it: words, exit codes, no server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from zhiwan.run.pack_commands import packs_app
from zhiwan.run.pack_history import NoSuchState

AIR = Path(__file__).parents[3] / "packs/life/air"


def zhiwan_pack(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(packs_app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    code, said = zhiwan_pack("new", "life/noise", "--root", tmp_path)
    assert (code, "zhiwan pack check" in said) == (0, True)
    return tmp_path / "life" / "noise"


def test_a_new_pack_passes_check_and_replay(folder: Path) -> None:
    code, said = zhiwan_pack("check", folder)
    assert (code, "1 checked, 0 wrong" in said) == (0, True), said
    code, said = zhiwan_pack("replay", folder, "-v")
    assert (code, "8 replayed, 0 wrong" in said) == (0, True), said


def test_a_mistake_is_told_and_fails_the_build(folder: Path) -> None:
    rules = folder / "rules.yml"
    rules.write_text(rules.read_text("utf-8").replace("value > :limit\n", "valeu > :limit\n"), "utf-8")
    code, said = zhiwan_pack("check", folder)
    assert code == 1
    assert "PACK-030 rules.yml:11 rules[above_limit].when" in said
    assert 'Did you mean "value"?' in said
    code, said = zhiwan_pack("replay", folder)
    assert (code, "JUDGE-001" in said) == (1, True)


def test_an_expectation_that_does_not_hold_fails_the_build(folder: Path) -> None:
    replays = folder / "tests" / "above_limit.yml"
    replays.write_text(replays.read_text("utf-8").replace("level: serious", "level: attention"), "utf-8")
    code, said = zhiwan_pack("replay", folder, "--rule", "above_limit")
    assert (code, "4 replayed, 1 wrong" in said) == (1, True)
    assert "at +15min: the level is serious, expected attention" in said
    assert "what happened: +15min above_limit opened (serious); +25min above_limit cleared (serious)" in said


@pytest.fixture
def committed(folder: Path) -> Path:
    """The new pack in a repository of its own."""
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "new"]):
        subprocess.run(["git", "-C", str(folder.parent.parent), *words], check=True)
    return folder


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_meaning_changes_only_together_with_the_version(committed: Path) -> None:
    assert zhiwan_pack("check", committed, "--against", "HEAD")[0] == 0
    change(committed / "rules.yml", "lasting: 10min", "lasting: 20min")
    code, said = zhiwan_pack("check", committed, "--against", "HEAD")
    assert code == 1
    assert "PACK-055 pack.yml:3 version: the rule above_limit has another lasting" in said
    change(committed / "pack.yml", "version: 0.1.0", "version: 0.2.0")
    assert zhiwan_pack("check", committed, "--against", "HEAD")[0] == 0


def test_words_and_colours_may_change_freely(committed: Path) -> None:
    change(committed / "rules.yml", "现场核实读数", "现场复测读数")
    change(committed / "rules.yml", "tone: orange", "tone: red")
    change(committed / "params/limits.yml", "clause 4", "clause 5")
    assert zhiwan_pack("check", committed, "--against", "HEAD")[0] == 0


def test_code_that_computes_something_else_is_a_change_and_its_comments_are_not(tmp_path: Path) -> None:
    shutil.copytree(AIR, tmp_path / "then/life/air")
    now = Path(shutil.copytree(AIR, tmp_path / "now/life/air"))
    module = next((now / "code").glob("*.py"))
    module.write_text("# another comment\n" + module.read_text("utf-8"), "utf-8")
    assert zhiwan_pack("check", now, "--against", tmp_path / "then")[0] == 0
    module.write_text(module.read_text("utf-8") + "\nMORE = 1\n", "utf-8")
    code, said = zhiwan_pack("check", now, "--against", tmp_path / "then")
    assert code == 1
    assert f"the code {module.name} computes something else" in said


def test_a_pack_that_is_new_has_nothing_to_be_compared_with(committed: Path) -> None:
    zhiwan_pack("new", "life/dust", "--root", committed.parent.parent)
    code, said = zhiwan_pack("check", committed.parent / "dust", "--against", "HEAD")
    assert code == 0, said


def test_a_state_that_is_not_there_is_told(committed: Path) -> None:
    with pytest.raises(NoSuchState, match="neither a folder nor a revision"):
        CliRunner().invoke(packs_app, ["check", str(committed), "--against", "--output=x"], catch_exceptions=False)


def test_a_pack_is_never_overwritten(folder: Path) -> None:
    code, said = zhiwan_pack("new", "life/noise", "--root", folder.parent.parent)
    assert (code, "exists already" in said) == (1, True)


def test_the_first_type_and_the_row_may_be_named_at_once(tmp_path: Path) -> None:
    code, _ = zhiwan_pack("new", "base/lamps", "--type", "LampPost", "--mission", "A18", "--root", tmp_path)
    assert code == 0
    folder = tmp_path / "base" / "lamps"
    assert "- id: LampPost" in (folder / "types.yml").read_text("utf-8")
    assert "mission: [A18]" in (folder / "pack.yml").read_text("utf-8")
    assert zhiwan_pack("check", folder)[0] == 0


@pytest.mark.parametrize("wrong", [("--type", "lamp post"), ("--mission", "18")])
def test_what_the_check_would_refuse_is_not_written(tmp_path: Path, wrong: tuple[str, str]) -> None:
    code, said = zhiwan_pack("new", "base/lamps", *wrong, "--root", tmp_path)
    assert (code, wrong[1] in said) == (1, True)
    assert not (tmp_path / "base").exists()


def test_a_row_that_the_place_does_not_list_is_told(folder: Path) -> None:
    manifest = folder / "pack.yml"
    manifest.write_text(manifest.read_text("utf-8").replace("[A5]", "[A5, A99]"), "utf-8")
    code, said = zhiwan_pack("check", folder)
    assert (code, 'PACK-043 pack.yml:7 pack.mission: "A99" is no row of the mission' in said) == (1, True)
