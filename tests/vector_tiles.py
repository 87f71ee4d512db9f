"""Vector tiles for tests: a coast (land in the west, water in the east, a road across), as MVT tiles and as PMTiles.

Only what a test needs of both formats: Mapbox Vector Tile 2.1, PMTiles 3 with one directory and no compression.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable

EXTENT = 4096
Ring = list[tuple[int, int]]


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def _number(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def _geometry(points: Ring, *, closed: bool) -> bytes:
    """MoveTo, LineTo and, of a polygon, ClosePath; each point as its step from the one before."""
    steps, at = [], (0, 0)
    for point in points:
        steps += [(point[axis] - at[axis]) << 1 ^ (point[axis] - at[axis]) >> 31 for axis in (0, 1)]
        at = point
    commands = [1 << 3 | 1, *steps[:2], (len(points) - 1) << 3 | 2, *steps[2:], *([1 << 3 | 7] if closed else [])]
    return b"".join(map(varint, commands))


def _layer(name: str, points: Ring, *, polygon: bool) -> bytes:
    feature = _number(3, 3 if polygon else 2) + _field(4, _geometry(points, closed=polygon))
    return _field(3, _number(15, 2) + _field(1, name.encode()) + _field(2, feature) + _number(5, EXTENT))


def coast_tile(z: int, x: int, y: int, lon: float) -> bytes:
    """One MVT tile: land west of a longitude, water east of it, a road from west to east."""
    shore = round(((lon + 180) / 360 * 2**z - x) * EXTENT)
    shore = min(max(shore, 0), EXTENT)

    def strip(west: int, east: int) -> Ring:
        return [(west, 0), (east, 0), (east, EXTENT), (west, EXTENT)]

    tile = b""
    if shore > 0:
        tile += _layer("landuse", strip(0, shore), polygon=True)
    if shore < EXTENT:
        tile += _layer("water", strip(shore, EXTENT), polygon=True)
    return tile + _layer("roads", [(0, EXTENT // 2), (EXTENT, EXTENT // 2)], polygon=False)


def tiles_over(bounds: tuple[float, float, float, float], zooms: Iterable[int]) -> list[tuple[int, int, int]]:
    """The tiles (z, x, y) that cover west, south, east, north."""
    west, south, east, north = bounds

    def row(lat: float, z: int) -> int:
        return int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**z)

    def column(lon: float, z: int) -> int:
        return int((lon + 180) / 360 * 2**z)

    return [
        (z, x, y)
        for z in zooms
        for x in range(column(west, z), column(east, z) + 1)
        for y in range(row(north, z), row(south, z) + 1)
    ]


def _id(z: int, x: int, y: int) -> int:
    """PMTiles number tiles along a Hilbert curve, zoom after zoom."""
    found, side = (4**z - 1) // 3, 2**z
    half = side // 2
    while half:
        right, low = bool(x & half), bool(y & half)
        found += half * half * ((3 * right) ^ low)
        if not low:
            if right:
                x, y = side - 1 - x, side - 1 - y
            x, y = y, x
        half //= 2
    return found


def coast_archive(bounds: tuple[float, float, float, float], zooms: range, lon: float) -> bytes:
    """The tiles over the bounds as one PMTiles file."""
    tiles = sorted((_id(*tile), coast_tile(*tile, lon)) for tile in tiles_over(bounds, zooms))
    ids = [id for id, _ in tiles]
    lengths = [len(body) for _, body in tiles]
    directory = b"".join(
        varint(value)
        for column in (
            [len(tiles)],
            [id - before for id, before in zip(ids, [0, *ids], strict=False)],
            [1] * len(tiles),
            lengths,
            [1, *[0] * (len(tiles) - 1)],  # the first begins at 0; each other follows the one before it
        )
        for value in column
    )
    metadata = json.dumps(
        {"vector_layers": [{"id": id, "fields": {}} for id in ("landuse", "water", "roads")]}
    ).encode()
    data = b"".join(body for _, body in tiles)
    root = 127
    parts = (root, len(directory), root + len(directory), len(metadata), 0, 0)
    offset = root + len(directory) + len(metadata)
    header = b"PMTiles\x03" + struct.pack("<6Q", *parts) + struct.pack("<5Q", offset, len(data), *[len(tiles)] * 3)
    header += struct.pack("<6B", 1, 1, 1, 1, zooms[0], zooms[-1])
    header += struct.pack("<4i", *(round(degrees * 1e7) for degrees in bounds))
    middle = ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    header += struct.pack("<Bii", zooms[0], *(round(degrees * 1e7) for degrees in middle))
    assert len(header) == root
    return header + directory + metadata + data
