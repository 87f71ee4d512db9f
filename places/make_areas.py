"""Draws areas.geojson and zones.yml of a place from its sources/, so that the map has towns and villages to show.

    .venv/bin/python places/make_areas.py places/<district>

No open outline of towns and villages exists, so all but the district's outline is SYNTHETIC and labelled so: towns are
cells around their seats (a power diagram whose weights are moved until the areas are plausible), villages are cells
around evenly spread points of their town. The same sources give the same file, byte for byte.

sources/outline.geojson   the district        sources/towns.csv      code,name,name_en,lon,lat
sources/villages.csv      code,name,town_code sources/names_en.csv   code,name_en
sources/waters.csv        id,title_zh,title_en,width_m,course ("lon lat;lon lat;…"), a sketch
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from shapely import get_coordinates, make_valid, transform
from shapely.geometry import LineString, Point, Polygon, box, mapping, shape
from shapely.geometry.base import BaseGeometry

SEED = 20220802
RURAL_KM2, URBAN_KM2 = 3.6, 1.1  # typical extent of a 村 and of a 居委会, for the weights only
METRES_PER_DEGREE = 111_320.0


def main(folder: Path) -> None:
    """Reads folder/sources, writes folder/areas.geojson and folder/zones.yml."""
    sources = folder / "sources"
    feature = json.loads((sources / "outline.geojson").read_text("utf-8"))
    outline = _polygonal(make_valid(shape(feature["geometry"])))
    plane = Plane(outline)
    towns, villages = _rows(sources / "towns.csv"), _rows(sources / "villages.csv")
    english = {row["code"]: row["name_en"] for row in _rows(sources / "names_en.csv")}
    district = {key: feature["properties"][key] for key in ("code", "name", "name_en")}

    flat = plane.flat(outline)
    seats = np.array([plane.to_flat(float(row["lon"]), float(row["lat"])) for row in towns])
    inside = [[one for one in villages if one["town_code"] == row["code"]] for row in towns]
    targets = np.array([sum(_extent(one["name"]) for one in group) for group in inside])
    cells = _town_cells(flat, seats, targets / targets.sum())
    features = [_feature(district, outline, synthetic=False)]
    rng = np.random.default_rng(SEED)
    for row, cell, group in zip(towns, cells, inside, strict=True):
        seat = (float(row["lon"]), float(row["lat"]))
        named = {key: row[key] for key in ("code", "name", "name_en")}
        features.append(_feature(named, plane.round(cell), seat=seat))
        points, parts = _village_cells(cell, len(group), rng)
        for one, point, part in zip(group, points, parts, strict=True):
            named = {"code": one["code"], "name": one["name"], "name_en": english.get(one["code"], "")}
            features.append(_feature(named, plane.round(part), seat=plane.to_degrees(*point)))
    features.sort(key=lambda item: str(item["properties"]["code"]))
    lines = ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in features)
    (folder / "areas.geojson").write_text(
        f'{{"type":"FeatureCollection","features":[\n{lines}\n]}}\n', encoding="utf-8"
    )
    if (sources / "waters.csv").is_file():
        _write_waters(_rows(sources / "waters.csv"), plane, flat, folder / "zones.yml")


class Plane:
    """A flat frame in metres round the middle of the place: exact enough for cells that are only sketches."""

    def __init__(self, outline: BaseGeometry) -> None:
        self._lon, self._lat = outline.centroid.x, outline.centroid.y
        self._across = METRES_PER_DEGREE * float(np.cos(np.radians(self._lat)))

    def to_flat(self, lon: Any, lat: Any) -> tuple[Any, Any]:
        return (lon - self._lon) * self._across, (lat - self._lat) * METRES_PER_DEGREE

    def to_degrees(self, x: Any, y: Any) -> tuple[float, float]:
        return round(float(self._lon + x / self._across), 5), round(float(self._lat + y / METRES_PER_DEGREE), 5)

    def flat(self, geometry: BaseGeometry) -> BaseGeometry:
        return transform(geometry, lambda lonlat: np.column_stack(self.to_flat(lonlat[:, 0], lonlat[:, 1])))

    def round(self, geometry: BaseGeometry) -> BaseGeometry:
        """Back to degrees, five decimals (a metre)."""
        degrees = transform(geometry, lambda xy: np.array([self.to_degrees(x, y) for x, y in xy.tolist()]))
        return _polygonal(make_valid(degrees))


def _polygonal(geometry: BaseGeometry) -> BaseGeometry:
    """Only the areas of a geometry: repairs and cuts leave stray lines and points behind."""
    if geometry.geom_type == "GeometryCollection":
        parts = [part for part in geometry.geoms if part.area > 0]
        merged: BaseGeometry = parts[0]
        for part in parts[1:]:
            merged = merged.union(part)
        return merged
    return geometry


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _extent(name: str) -> float:
    return RURAL_KM2 if name.endswith(("村委会", "村民委员会")) else URBAN_KM2


def _power_cell(outline: BaseGeometry, sites: np.ndarray, weights: np.ndarray, own: int) -> BaseGeometry:
    """The part of the outline nearer (in the sense of power distance) to site `own` than to any other."""
    x0, y0, x1, y1 = outline.bounds
    reach = 4 * max(x1 - x0, y1 - y0)
    cell: BaseGeometry = box(x0 - 1, y0 - 1, x1 + 1, y1 + 1)
    here = sites[own]
    for other in range(len(sites)):
        if other == own:
            continue
        way = sites[other] - here
        length = float(np.hypot(*way))
        along, across = way / length, np.array([-way[1], way[0]]) / length
        edge = here + along * (length**2 + weights[own] - weights[other]) / (2 * length)
        corners = [edge + across * reach, edge - across * reach]
        cell = cell.intersection(Polygon([*corners, corners[1] - along * 2 * reach, corners[0] - along * 2 * reach]))
    return _polygonal(outline.intersection(cell))


def _town_cells(outline: BaseGeometry, seats: np.ndarray, shares: np.ndarray) -> list[BaseGeometry]:
    """Moves the weights toward the wanted shares, never so far that a seat leaves its own cell."""
    weights = np.zeros(len(seats))
    nearest = np.array([min(float(np.hypot(*(one - two))) for two in seats if two is not one) for one in seats])
    bound = 0.35 * nearest**2
    for _ in range(40):
        areas = np.array([_power_cell(outline, seats, weights, own).area for own in range(len(seats))])
        step = 0.25 * (shares - areas / outline.area) * outline.area / np.pi
        weights = np.clip(weights + step, -bound, bound)
    cells = [_power_cell(outline, seats, weights, own) for own in range(len(seats))]
    for cell, seat in zip(cells, seats, strict=True):
        if not cell.contains(Point(seat)):
            raise SystemExit(f"the seat at {seat} left its cell: mend its coordinates")
    return cells


def _village_cells(
    cell: BaseGeometry, count: int, rng: np.random.Generator
) -> tuple[list[tuple[float, float]], list[BaseGeometry]]:
    """Evenly spread points (Lloyd's iteration over a cloud) and their cells."""
    mainland = max(getattr(cell, "geoms", [cell]), key=lambda part: part.area)
    x0, y0, x1, y1 = mainland.bounds
    cloud: list[tuple[float, float]] = []
    while len(cloud) < 200 * count:
        x, y = float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1))
        if mainland.contains(Point(x, y)):
            cloud.append((x, y))
    points = np.array(cloud)
    centres = points[:count].copy()
    for _ in range(25):
        owner = np.argmin(((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2), axis=1)
        centres = np.array([points[owner == own].mean(axis=0) for own in range(count)])
    order = np.lexsort((centres[:, 0], -np.round(centres[:, 1] / 1500)))  # north to south, west to east
    centres = centres[order]
    flat = np.zeros(count)
    return [tuple(one) for one in centres.tolist()], [_power_cell(cell, centres, flat, own) for own in range(count)]


def _feature(
    properties: dict[str, Any], geometry: BaseGeometry, seat: Sequence[float] | None = None, synthetic: bool = True
) -> dict[str, Any]:
    told = properties | ({"seat": list(seat)} if seat else {}) | {"synthetic": synthetic}
    if len(get_coordinates(geometry)) < 3:
        raise SystemExit(f"the cell of {properties['code']} is empty")
    return {"type": "Feature", "properties": told, "geometry": mapping(geometry)}


def _write_waters(rows: list[dict[str, str]], plane: Plane, outline: BaseGeometry, path: Path) -> None:
    """Sketched courses as thin polygons: zones that cross areas."""
    out = [
        "# 示意水系 / sketched waters: drawn by places/make_areas.py from sources/waters.csv; not surveyed courses.",
        "# The simulator puts devices along zones whose id begins with river- or coast-.",
    ]
    for row in rows:
        course = [tuple(float(part) for part in pair.split()) for pair in row["course"].split(";")]
        line = LineString([plane.to_flat(*pair) for pair in course])
        band = outline.intersection(line.buffer(float(row["width_m"]) / 2, cap_style="flat", quad_segs=2))
        rounded = plane.round(_polygonal(band))
        polygon = json.dumps(mapping(rounded), separators=(", ", ": "))
        out += [
            f"- id: {row['id']}",
            f'  title: {{zh: "{row["title_zh"]}", en: "{row["title_en"]}"}}',
            "  version: 1",
            f"  polygon: {polygon}",
        ]
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
