"""Places as shipped: they load, their areas are what the sources give, and what is drawn is labelled synthetic."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from shapely.geometry import Point, shape

from zhiwan.kernel.facts.areas import area_level
from zhiwan.kernel.packs.place import AreaDecl, PlaceDecl, load_place

ROOT = Path(__file__).resolve().parents[2]
PLACES = [ROOT / "places/jinshan", ROOT / "tests/places/yunwan"]
each_place = pytest.mark.parametrize("folder", PLACES, ids=lambda path: path.name)


@each_place
def test_the_drawn_files_are_what_the_sources_give(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "sources", tmp_path / "sources")
    subprocess.run([sys.executable, str(ROOT / "places/make_areas.py"), str(tmp_path)], check=True, timeout=120)
    for name in ("areas.geojson", "zones.yml"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), (
            f"draw {name} again: places/make_areas.py"
        )


@each_place
def test_all_but_the_outline_is_labelled_synthetic(folder: Path) -> None:
    place = load_place(folder)
    assert [area.code for area in place.areas if not area.synthetic] == [place.code]
    assert place.place.notice is not None


@each_place
def test_cells_lie_in_their_parents_and_hold_their_seats(folder: Path) -> None:
    place = load_place(folder)
    cells = {area.code: shape(area.geometry).buffer(3e-4) for area in place.areas if area.geometry}
    for area in place.areas:
        cell = cells[area.code]
        if area.parent in cells:
            assert cells[area.parent].contains(shape(area.geometry)), area.code
        if area.seat:
            assert cell.contains(Point(area.seat)), area.code


@each_place
def test_towns_share_the_district_without_overlap(folder: Path) -> None:
    place = load_place(folder)
    for level, parent in (("town", place.code), *(("village", town.code) for town in _towns(place))):
        parts = [shape(a.geometry).area for a in place.areas if area_level(a.code) == level and a.parent == parent]
        whole = next(shape(area.geometry).buffer(0).area for area in place.areas if area.code == parent)
        assert sum(parts) == pytest.approx(whole, rel=0.01)


def test_the_district_has_its_towns_and_villages() -> None:
    place = load_place(PLACES[0])
    assert Counter(area_level(area.code) for area in place.areas) == {"district": 1, "town": 11, "village": 244}
    assert all(area.name_en for area in place.areas)


def _towns(place: PlaceDecl) -> list[AreaDecl]:
    return [area for area in place.areas if area_level(area.code) == "town"]
