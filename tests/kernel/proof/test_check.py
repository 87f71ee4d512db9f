"""What one wrong file cannot show: checks among several packs, and before a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.proof.check import check_pack, load_readable
from zhiwan.kernel.proof.scaffold import new_pack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    new_pack("life/noise", tmp_path)
    new_pack("base/weather", tmp_path)
    return tmp_path


def watch_the_other(root: Path) -> Path:
    rules = root / "life/noise/indicators.yml"
    rules.write_text(rules.read_text("utf-8").replace("over: NoiseStation", "over: WeatherStation"), "utf-8")
    return root / "life/noise"


def test_a_type_of_another_pack_must_be_named_in_needs(root: Path) -> None:
    folder = watch_the_other(root)
    (fault,) = check_pack(folder, load_readable([root]))
    assert (fault.code, fault.values["name"], fault.values["owner"]) == ("PACK-046", "WeatherStation", "base.weather")


def test_with_the_need_named_it_is_sound(root: Path) -> None:
    folder = watch_the_other(root)
    manifest = folder / "pack.yml"
    manifest.write_text(manifest.read_text("utf-8").replace("needs: []", "needs: [base.weather]"), "utf-8")
    assert check_pack(folder, load_readable([root])) == []


def test_without_the_other_pack_the_type_is_unknown(root: Path) -> None:
    assert {fault.code for fault in check_pack(watch_the_other(root))} == {"PACK-020"}


def test_a_broken_neighbour_does_not_hide_the_others(root: Path) -> None:
    (root / "base/weather/types.yml").write_text("- [", "utf-8")
    packs: list[Pack] = load_readable([root])
    assert [pack.id for pack in packs] == ["life.noise"]
    assert check_pack(root / "life/noise", packs) == []


def test_roles_are_asked_of_the_place_only_when_there_is_one(root: Path) -> None:
    assert check_pack(root / "life/noise") == []
    assert {fault.code for fault in check_pack(root / "life/noise", roles=["duty_chief"])} == {"PACK-028"}


def test_all_mistakes_of_a_pack_are_told_at_once(root: Path) -> None:
    rules = root / "life/noise/rules.yml"
    text = rules.read_text("utf-8")
    rules.write_text(
        text.replace("value > :limit\n", "valeu > :limit\n").replace("value < :limit - 5", "x < 1"), "utf-8"
    )
    manifest = root / "life/noise/pack.yml"
    faults = check_pack(root / "life/noise")
    assert {fault.code for fault in faults} == {"PACK-030"}
    manifest.write_text(manifest.read_text("utf-8").replace("[A5]", "[A5, X1, Y2]"), "utf-8")
    assert [fault.code for fault in check_pack(root / "life/noise")] == ["PACK-043", "PACK-043"]


def test_a_type_of_another_pack_cannot_be_declared_again(root: Path) -> None:
    types = root / "life/noise/types.yml"
    types.write_text(types.read_text("utf-8").replace("NoiseStation", "WeatherStation"), "utf-8")
    (fault,) = check_pack(root / "life/noise", load_readable([root]))
    assert str(fault).startswith("PACK-010: types.yml:2 types[WeatherStation].id: ")
    assert fault.values["first"] == "base.weather"


def test_rows_are_asked_of_the_place_only_when_it_has_a_plan(root: Path) -> None:
    assert check_pack(root / "life/noise") == []
    (fault,) = check_pack(root / "life/noise", rows=["C6"])
    assert (fault.code, fault.values["name"]) == ("PACK-043", "A5")
