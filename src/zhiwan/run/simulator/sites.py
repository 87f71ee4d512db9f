"""Where simulated devices stand: in villages, at town seats, along rivers, roads and the coast of a place.

Rivers and the coast are zones of the place whose id begins with river- or coast-. A place without them gets devices
at its villages instead, so that any place can be played.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from shapely import STRtree, from_geojson
from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from zhiwan.kernel.facts.areas import area_level
from zhiwan.kernel.packs.place import AreaDecl, PlaceDecl

Near = Literal["village", "coast", "river", "road", "seat"]
_ENDINGS = ("居民委员会", "村民委员会", "居委会", "村委会")
_ENDINGS_EN = (" Neighbourhood", " Village", " Town", " Subdistrict")


@dataclass(frozen=True)
class Site:
    """A spot with the area it lies in and the name people would give it."""

    lon: float
    lat: float
    area: str
    name: str
    name_en: str


class Ground:
    """The geometry of a place, made ready for many questions."""

    def __init__(self, place: PlaceDecl) -> None:
        self._villages = [area for area in place.areas if area_level(area.code) == "village" and _geometry(area)]
        self._towns = [area for area in place.areas if area_level(area.code) == "town" and area.seat]
        self._cells = [_shape(area) for area in self._villages]
        self._tree = STRtree(self._cells)
        self._lines: dict[str, list[tuple[BaseGeometry, str, str]]] = {"river": [], "coast": []}
        for zone in place.zones:
            kind = zone.id.partition("-")[0]
            if kind in self._lines:
                edge = from_geojson(_json(zone.polygon)).boundary
                self._lines[kind].append((edge, _plain(zone.title.zh), _plain(zone.title.en)))

    def sites(self, near: Near, count: int, rng: np.random.Generator) -> list[Site]:
        """`count` spots, spread over the district."""
        if near == "seat":
            return [self._seat(self._towns[number % len(self._towns)], rng) for number in range(count)]
        if near == "road" and len(self._towns) > 1:
            return [self._road(rng) for _ in range(count)]
        if self._lines.get(near):
            return self._along(self._lines[near], count, rng)
        return [self._village(number, rng) for number in range(count)]

    def _seat(self, town: AreaDecl, rng: np.random.Generator) -> Site:
        lon, lat = town.seat or (0.0, 0.0)
        spot = self._spot(lon + float(rng.normal(0, 0.003)), lat + float(rng.normal(0, 0.003)))
        return Site(spot[0], spot[1], self._area(*spot).code, _short(town.name), _short(town.name_en))

    def _village(self, number: int, rng: np.random.Generator) -> Site:
        area, cell = self._villages[number % len(self._villages)], self._cells[number % len(self._villages)]
        x0, y0, x1, y1 = cell.bounds
        for _ in range(50):
            lon, lat = float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1))
            if cell.contains(Point(lon, lat)):
                break
        else:
            lon, lat = cell.representative_point().coords[0]
        return Site(round(lon, 5), round(lat, 5), area.code, _short(area.name), _short(area.name_en))

    def _road(self, rng: np.random.Generator) -> Site:
        """A spot on the way from one town to another of its three nearest, most often near its beginning."""
        start = self._towns[int(rng.integers(0, len(self._towns)))]
        seat = start.seat or (0.0, 0.0)
        others = sorted(
            (town for town in self._towns if town is not start and town.seat),
            key=lambda town: (town.seat[0] - seat[0]) ** 2 + (town.seat[1] - seat[1]) ** 2 if town.seat else 9.0,
        )[:3]
        end = others[int(rng.integers(0, len(others)))].seat or seat
        part = float(rng.beta(1.2, 2.5))
        way = LineString([seat, end]).interpolate(part, normalized=True)
        spot = self._spot(way.x + float(rng.normal(0, 0.004)), way.y + float(rng.normal(0, 0.004)))
        return self._named(*spot)

    def _along(
        self, lines: Sequence[tuple[BaseGeometry, str, str]], count: int, rng: np.random.Generator
    ) -> list[Site]:
        """Spread by length over all lines, with a little disorder."""
        lengths = np.array([line.length for line, _, _ in lines])
        edges = np.cumsum(lengths)
        found = []
        for number in range(count):
            far = (number + float(rng.uniform(0.1, 0.9))) / count * edges[-1]
            which = int(np.searchsorted(edges, far))
            line, name, name_en = lines[min(which, len(lines) - 1)]
            point = line.interpolate(far - (edges[which - 1] if which else 0.0))
            lon, lat = round(point.x, 5), round(point.y, 5)
            found.append(Site(lon, lat, self._area(lon, lat).code, name, name_en))
        return found

    def _named(self, lon: float, lat: float) -> Site:
        area = self._area(lon, lat)
        return Site(lon, lat, area.code, _short(area.name), _short(area.name_en))

    def _spot(self, lon: float, lat: float) -> tuple[float, float]:
        """The spot itself, or the nearest that lies in a village."""
        here = Point(lon, lat)
        cell = self._cells[int(self._tree.nearest(here))]
        if not cell.covers(here):
            here = cell.representative_point()
        return round(here.x, 5), round(here.y, 5)

    def _area(self, lon: float, lat: float) -> AreaDecl:
        return self._villages[int(self._tree.nearest(Point(lon, lat)))]


def _geometry(area: AreaDecl) -> bool:
    return area.geometry is not None


def _shape(area: AreaDecl) -> BaseGeometry:
    return from_geojson(_json(area.geometry))


def _json(geometry: object) -> str:
    import orjson

    return orjson.dumps(geometry).decode()


def _plain(title: str) -> str:
    """A title without the remark in brackets that it is a sketch."""
    return title.split("（")[0].split(" (")[0]


def _short(name: str) -> str:
    """The name as people say it: without 居委会 and the like."""
    for ending in (*_ENDINGS, *_ENDINGS_EN):
        if name.endswith(ending) and len(name) > len(ending):
            return name.removesuffix(ending)
    return name
