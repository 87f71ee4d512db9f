"""Places: what is local is data, and wrong data is told with its file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.place import load_place

INVENTED = Path(__file__).parents[2] / "places" / "yunwan"
SHIPPED = sorted((Path(__file__).parents[3] / "places").glob("*/place.yml"))


@pytest.mark.parametrize("place", [path.parent for path in SHIPPED] + [INVENTED], ids=lambda path: path.name)
def test_every_place_loads_and_holds_together(place: Path) -> None:
    loaded = load_place(place)
    codes = {area.code for area in loaded.areas}
    assert loaded.code in codes
    assert all(area.parent in codes for area in loaded.areas if area.code != loaded.code)
    assert {role.id for role in loaded.roles} >= {"duty_chief", "operator"}
    assert loaded.outline is not None
    assert all(area.synthetic for area in loaded.areas if area.geometry and area.code != loaded.code)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return Path(shutil.copytree(INVENTED, tmp_path / "yunwan"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("place.yml", '"990101"', "990101", "valid string"),
        ("place.yml", "Asia/Shanghai", "Asia/Nowhere", "IANA"),
        ("place.yml", "zone:", "zonne:", "zone"),
        ("posts.yml", "role: flood_office,", "role: flood_ofice,", "flood_ofice"),
        ("posts.yml", "organisation: town-office", "organisation: town-ofice", "town-ofice"),
        ("posts.yml", '["990101001"]', '["990101999"]', "990101999"),
        ("demo.yml", "posts: [chief]", "posts: [cheif]", "cheif"),
        ("bodies.yml", "en: Operations centre", "de: Zentrale", "en"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(place: Path, file: str, old: str, new: str, said: str) -> None:
    text = (place / file).read_text("utf-8")
    assert old in text
    (place / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(PackFault) as refused:
        load_place(place)
    assert refused.value.file == file
    assert refused.value.line >= 1
    assert said in str(refused.value)


def test_areas_may_come_as_a_table(place: Path) -> None:
    (place / "areas.geojson").unlink()
    rows = ["code,name,name_en,lon,lat,synthetic", "990101001,云港,Yungang,122.1,29.1,true", "990101001001,一村,One,,,"]
    (place / "areas.csv").write_text("\n".join(rows), "utf-8")
    areas = {area.code: area for area in load_place(place).areas}
    assert areas["990101001"].seat == (122.1, 29.1)
    assert areas["990101001001"].parent == "990101001"
    assert areas["990101"].name == "云湾区"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("990101001,云港,,x,29,true", "read"),
        ("880101001,云港,,,,", "does not lie"),
        ("99010100,云港,,,,", "digits"),
        ("990101002001,村,,,,", "parent"),
        ("990101001,云港,,,,\n990101001,云港,,,,", "twice"),
        (",云港,,,,", "code"),
    ],
)
def test_a_wrong_row_of_areas_is_told(place: Path, row: str, said: str) -> None:
    (place / "areas.geojson").unlink()
    (place / "areas.csv").write_text(f"code,name,name_en,lon,lat,synthetic\n{row}\n", "utf-8")
    with pytest.raises(PackFault) as refused:
        load_place(place)
    assert refused.value.file == "areas.csv"
    assert refused.value.line >= 2
    assert said in str(refused.value)


def test_a_file_that_nobody_reads_is_told(place: Path) -> None:
    (place / "post.yml").write_text("", "utf-8")
    with pytest.raises(PackFault, match=r"post\.yml"):
        load_place(place)
