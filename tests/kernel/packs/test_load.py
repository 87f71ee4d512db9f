"""A folder becomes a pack: global pointers, one owner per type, files that belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhiwan.kernel.packs import broken
from zhiwan.kernel.packs.load import load_pack, load_packs, pack_folders, read_pack
from zhiwan.kernel.packs.packset import NoSuchDeclaration
from zhiwan.kernel.proof.scaffold import PackNameRefused, new_pack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    new_pack("life/noise", tmp_path)
    new_pack("governance/heat", tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_packs_come_in_the_order_of_their_ids(root: Path) -> None:
    packs = load_packs([root])
    assert [pack.id for pack in packs.packs] == ["governance.heat", "life.noise"]
    assert set(packs.types) == {"HeatStation", "NoiseStation"}
    assert packs.property("NoiseStation.reading").unit == "Cel"


def test_pointers_become_global_and_lookups_find_them(root: Path) -> None:
    packs = load_packs([root])
    rule = packs.rule("life.noise.above_limit")
    assert rule.raises == "life.noise.check"
    assert packs.case_kind(rule.raises).handled_by == "operator"
    assert packs.owner(rule.raises).id == "life.noise"
    assert packs.pack("life.noise").manifest.emits == ["life.noise.check"]
    assert packs.layers[1][1].indicator == "life.noise.mean_reading"
    assert [pack.id for pack, _ in packs.rules] == ["governance.heat"] * 2 + ["life.noise"] * 2


def test_another_pack_is_named_by_its_last_part(root: Path) -> None:
    change(root / "life/noise/rules.yml", "raises: check", "raises: heat.check")
    change(
        root / "life/noise/rules.yml",
        "    scale: severity\n    level: CASE",
        "    scale: heat.severity\n    level: CASE",
    )
    packs = load_packs([root])
    assert packs.rule("life.noise.above_limit").raises == "governance.heat.check"
    assert packs.scale("life.noise", "heat.severity").id == "severity"


def test_two_packs_cannot_own_one_type(root: Path) -> None:
    change(root / "life/noise/types.yml", "NoiseStation", "HeatStation")
    with pytest.raises(broken.IdTwice):
        load_packs([root])


@pytest.mark.parametrize(
    "look", ["rule", "indicator", "warning", "plan", "case_kind", "derive", "source", "pack", "type"]
)
def test_what_nobody_declares_is_said_so(root: Path, look: str) -> None:
    with pytest.raises(NoSuchDeclaration) as refused:
        getattr(load_packs([root]), look)("life.noise.nothing")
    assert refused.value.code == "PACK-013"


def test_a_parameter_may_stand_once_per_region(root: Path) -> None:
    limits = root / "life/noise/params/limits.yml"
    text = limits.read_text("utf-8")
    limits.write_text(text + text.replace("- id: limit", '- id: limit\n  region: "99"').replace("60", "55"), "utf-8")
    book = load_packs([root]).parameters
    at = book.history("life.noise.limit").in_force[0].from_
    assert book.at("life.noise.limit", at).value == 60
    assert book.at("life.noise.limit", at, region="990101").value == 55
    limits.write_text(text + text, "utf-8")
    with pytest.raises(broken.IdTwice):
        load_packs([root])


def test_a_folder_without_pack_yml_is_no_pack(tmp_path: Path) -> None:
    (tmp_path / "life" / "empty").mkdir(parents=True)
    assert pack_folders(tmp_path) == []
    with pytest.raises(broken.FileMissing):
        load_pack(tmp_path / "life" / "empty")
    with pytest.raises(broken.FileMissing):
        load_packs([tmp_path / "nowhere"])


def test_replays_are_read_with_their_file(root: Path) -> None:
    read = read_pack(root / "life/noise")
    assert {file for file, _, _ in read.replays} == {"tests/above_limit.yml", "tests/no_reading.yml"}
    assert len(read.replays) == 8


@pytest.mark.parametrize("name", ["noise", "life/Noise", "life/../x", "else/noise", "life/a", "/life/noise", ""])
def test_a_name_outside_the_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PackNameRefused):
        new_pack(name, tmp_path)


def test_a_pack_that_exists_is_not_overwritten(root: Path) -> None:
    with pytest.raises(PackNameRefused):
        new_pack("life/noise", root)
