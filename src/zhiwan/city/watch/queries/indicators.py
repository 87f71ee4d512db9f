"""Vital signs (体征) as they are now, with the band that colours a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from zhiwan.city.packs_loaded import packs
from zhiwan.city.registry.models import Area
from zhiwan.city.registry.queries import area_title
from zhiwan.city.watch.models import IndicatorNow
from zhiwan.kernel.packs.models import Band, Indicator, Text


@dataclass(frozen=True)
class IndicatorRow:
    id: str
    title: Text
    unit: str
    pack: str
    area: str
    area_title: Text
    value: float | None
    shown: str
    tone: str
    band: Text | None
    n: int
    stale: int
    at: datetime | None
    owner: Text
    worse: str


def indicator_or_none(global_id: str) -> Indicator | None:
    """The declared vital sign; None when no loaded pack has it (any more)."""
    return next((one for pack, one in packs().indicators if f"{pack.id}.{one.id}" == global_id), None)


def band_of(bands: list[Band], value: float | None) -> Band | None:
    """The first band whose upper end holds the value (ends belong to the lower band)."""
    if value is None:
        return None
    return next((band for band in bands if band.upto is None or value <= band.upto), None)


def tone_of(bands: list[Band], value: float | None) -> str:
    """The tone of a value's band; grey without a value, blue where no bands are declared."""
    if value is None:
        return "grey"
    band = band_of(bands, value)
    return band.tone if band else "blue"


def board(area: str) -> list[IndicatorRow]:
    """All declared vital signs of an area, in the order of the packs; those never computed have no value."""
    known = {one.indicator: one for one in IndicatorNow.objects.filter(area=area)}
    return [_indicator_row(pack.id, one, area, known.get(f"{pack.id}.{one.id}")) for pack, one in packs().indicators]


def by_area(indicator: str, level: str = "town") -> list[IndicatorRow]:
    """One vital sign over all areas of a level, worst first; areas without a value last."""
    declared = indicator_or_none(indicator)
    if declared is None:
        return []
    pack = indicator.rpartition(".")[0]
    known = {one.area: one for one in IndicatorNow.objects.filter(indicator=indicator)}
    codes = Area.objects.filter(level=level).order_by("code").values_list("code", flat=True)
    rows = [_indicator_row(pack, declared, code, known.get(code)) for code in codes]
    sign = 1 if declared.worse == "low" else -1
    return sorted(rows, key=lambda row: (row.value is None, sign * (row.value or 0), row.area))


def _indicator_row(pack: str, declared: Indicator, area: str, row: IndicatorNow | None) -> IndicatorRow:
    value = row.value if row else None
    band = band_of(list(declared.bands), value)
    return IndicatorRow(
        id=f"{pack}.{declared.id}",
        title=declared.title,
        unit=declared.unit,
        pack=pack,
        area=area,
        area_title=area_title(area),
        value=value,
        shown="—" if value is None else f"{value:.{declared.decimals}f}",
        tone=tone_of(list(declared.bands), value),
        band=band.title if band else None,
        n=row.n if row else 0,
        stale=row.stale if row else 0,
        at=row.at if row else None,
        owner=declared.owner,
        worse=declared.worse,
    )
