"""Vital signs (体征): the board of an area, and one sign over all towns with its history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from zhiwan.city.packs_loaded import lake, packs
from zhiwan.city.portal import charts
from zhiwan.city.portal.expression_words import in_words
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.templatetags.portal import moment_text, said
from zhiwan.city.portal.views.base import chosen, csv_download, not_found
from zhiwan.city.registry import clock
from zhiwan.city.registry import queries as registry
from zhiwan.city.watch import queries as watch
from zhiwan.kernel.packs.models import Indicator

_HISTORY = timedelta(days=7)


def _area(request: HttpRequest) -> str:
    """The area asked for if it exists, else the district."""
    where = registry.current_place()
    code = request.GET.get("area", "")
    return code if code in registry.area_names() else (where.code if where else "")


@require_GET
@opens("indicator.read")
def board(request: HttpRequest) -> HttpResponseBase:
    """All vital signs of an area, grouped by pack."""
    area = _area(request)
    rows = watch.board(area)
    if request.GET.get("format") == "csv":
        header = [_("体征"), _("数值"), _("单位"), _("级别"), _("参与个数"), _("过期个数"), _("时间"), _("责任单位")]
        lines = [
            [
                said(r.title),
                r.value,
                r.unit,
                said(r.band),
                r.n,
                r.stale,
                moment_text(r.at) if r.at else "",
                said(r.owner),
            ]
            for r in rows
        ]
        return csv_download(request, f"indicators-{area}", header, lines)
    groups = [
        (pack.manifest.title, [row for row in rows if row.pack == pack.id])
        for pack in packs().packs
        if any(row.pack == pack.id for row in rows)
    ]
    context = {"area": area, "groups": groups, "towns": registry.areas("town"), "place_row": registry.current_place()}
    return render(request, "portal/indicators.html", context)


@require_GET
@opens("indicator.read")
def detail(request: HttpRequest, id: str) -> HttpResponseBase:
    """One sign: over all areas of a level, worst first, and its history in one area."""
    pack, declared = next(((p, one) for p, one in packs().indicators if f"{p.id}.{one.id}" == id), (None, None))
    if pack is None or declared is None:
        return not_found(request, pgettext("one", "体征"))
    level = chosen(request, "level", ("town", "village")) or "town"
    area = _area(request)
    rows = watch.by_area(id, level)
    now = next((row for row in watch.board(area) if row.id == id), None)
    kind = packs().types.get(declared.over)
    context: dict[str, Any] = {
        "declared": declared,
        "pack": pack.manifest,
        "row": now,
        "rows": rows,
        "area": area,
        "level": level,
        "kind": kind,
        "towns": registry.areas("town"),
        "words": in_words(declared.value, f"{declared.over}.", pack.id),
        "chart": _history(id, declared, area),
        "ranking": charts.bars(
            [(said(row.area_title), row.value, row.tone) for row in rows if row.value is not None][:20],
            title=said(declared.title), unit=declared.unit, decimals=declared.decimals,
        ),
    }  # fmt: skip
    return render(request, "portal/indicator.html", context)


def _history(id: str, declared: Indicator, area: str) -> charts.Option:
    end = clock.now() + timedelta(minutes=5)
    found = lake().indicator_history(id, area, end - _HISTORY, end)
    times = "at" if "at" in found.columns else "observed_at"
    points = list(found.select(times, "value").iter_rows())
    lines = [charts.Line(said(band.title), band.upto, band.tone) for band in declared.bands if band.upto is not None]
    shown = [value for _at, value in points if value is not None]
    near = [line for line in lines if shown and min(shown) <= line.value <= max(shown) * 1.3 + 1e-9]
    return charts.readings(
        points, title=said(declared.title), unit=declared.unit, decimals=declared.decimals, lines=near
    )
