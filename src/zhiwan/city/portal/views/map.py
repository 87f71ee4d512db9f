"""The command map: the page, the facts it draws (areas, state), the cards of a click, and the same facts as a table."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from zhiwan.city.cases import queries as cases
from zhiwan.city.packs_loaded import packs, place
from zhiwan.city.people import guard
from zhiwan.city.people.acting import current_actor, current_space
from zhiwan.city.portal import assets_built, queries
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.numbers import unit_text
from zhiwan.city.portal.templatetags.portal import called, said
from zhiwan.city.portal.views import setup
from zhiwan.city.portal.views.base import chosen, not_found, whole
from zhiwan.city.registry import clock
from zhiwan.city.registry import queries as registry
from zhiwan.city.registry.models import Area, Place
from zhiwan.city.watch import queries as watch
from zhiwan.kernel.packs.models import Text

_SIDE_LINES = 8
_MOST_PINS = 300


@require_GET
@opens("map.read")
def command_map(request: HttpRequest) -> HttpResponse:
    """The first page. `view=table` shows the same facts as a table; `area` or `entity` says where to look."""
    if request.GET.get("view") == "table":
        return _table(request)
    if setup.wanted(request):
        return redirect("portal:setup")
    where = registry.current_place()
    context = {"settings": _map_settings(request, where) if where else None, "table": False}
    return render(request, "portal/map.html", context | _side(where))


@require_GET
@opens("map.read")
def side(request: HttpRequest) -> HttpResponse:
    """The right panel again, after something changed."""
    return render(request, "portal/parts/map_side.html", _side(registry.current_place()))


def _side(where: Place | None) -> dict[str, Any]:
    """Vital signs of the district, what is open, and who works on it."""
    now = clock.now()
    return {
        "overview": watch.overview(now),
        "vitals": watch.board(where.code) if where and guard.may_open("indicator.read") else [],
        "alarms": watch.alarms(state="open", size=_SIDE_LINES),
        "cases": cases.cases(at=now, state=cases.RUNNING, size=_SIDE_LINES) if guard.may_open("case.read") else None,
    }


def _map_settings(request: HttpRequest, where: Place) -> dict[str, Any]:
    """What assets/src/map.js reads from the page."""
    notice = where.settings.get("notice")
    return {
        "bounds": [where.bounds[:2], where.bounds[2:]],
        "base": _base_map(where),
        "attribution": said(notice) if notice else "",
        "areas": f"{reverse('portal:map_areas')}?{urlencode({'of': _kept_for()})}",
        "state": reverse("portal:map_state"),
        "card": reverse("portal:map_card", args=["ID"]),
        "area_card": reverse("portal:map_area_card", args=["CODE"]),
        "worker": assets_built.asset_url("map-worker.js"),
        "focus": _focus(request),
        "locale": {
            "NavigationControl.ZoomIn": _("放大"),
            "NavigationControl.ZoomOut": _("缩小"),
            "AttributionControl.ToggleAttribution": _("来源"),
            "Popup.Close": _("关闭"),
            "Map.Title": _("地图"),
        },
    }


def _kept_for() -> str:
    """The space and the post that look: what the browser kept of the areas for others must not answer here."""
    actor = current_actor()
    return f"{current_space()} {actor.post.pk if actor and actor.post else ''}"


def _base_map(where: Place) -> dict[str, Any] | None:
    """The place's base map as the browser loads it. Its kind follows from its address."""
    declared = where.base_map
    if not declared:
        return None
    url = declared.get("url") or (reverse("portal:base_map_file") if declared.get("file") else "")
    name = urlsplit(url).path
    kind = "pmtiles" if name.endswith(".pmtiles") else "mvt" if name.endswith((".pbf", ".mvt")) else "xyz"
    number = declared.get("approval_number") or declared.get("approval") or ""
    return {"kind": kind, "url": url, "attribution": declared.get("attribution", ""), "approval": number}


def _focus(request: HttpRequest) -> dict[str, Any] | None:
    """Where a link wants the map to look."""
    if code := request.GET.get("area"):
        area = Area.objects.filter(code=code).first()
        if area and area.lon is not None:
            return {"at": [area.lon, area.lat], "zoom": 13.5 if len(code) > 9 else 11.5, "area": code}
    if id := request.GET.get("entity"):
        detail = registry.entity_detail(id)
        if detail and detail.row.lon is not None:
            return {"at": [detail.row.lon, detail.row.lat], "zoom": 14.5, "entity": id}
    return None


@require_GET
@opens("area.read")
def areas(request: HttpRequest) -> HttpResponse:
    """Outline, towns and villages. They change with the place, so the browser may keep them for a while."""
    where = registry.current_place()
    body = {
        "outline": where.outline if where else None,
        "towns": [_area_json(one) for one in registry.areas("town")],
        "villages": [_area_json(one) for one in registry.areas("village")],
    }
    response = JsonResponse(body)
    response["Cache-Control"] = "private, max-age=300"
    response["Vary"] = "Cookie"
    return response


def _area_json(area: Area) -> dict[str, Any]:
    seat = [round(area.lon, 6), round(area.lat, 6)] if area.lon is not None and area.lat is not None else None
    return {
        "code": area.code,
        "name": called(area),
        "seat": seat,
        "geometry": area.geometry,
        "synthetic": area.synthetic,
    }


@require_GET
@opens("map.read")
def state(request: HttpRequest) -> HttpResponse:
    """Entities with their newest value, and where alarms are open."""
    found = watch.map_state()
    for layer in found["layers"]:
        layer["unit_text"] = unit_text(layer["unit"])
    return JsonResponse(found | {"alarms": queries.alarm_pins(_MOST_PINS)})


@require_GET
@opens("entity.read")
def thing_card(request: HttpRequest, id: str) -> HttpResponse:
    """The card of an entity on the map: newest values, open alarms, the way to its page."""
    detail = registry.entity_detail(id)
    if detail is None:
        return HttpResponse(status=404)
    context = {
        "detail": detail,
        "values": [row for row in watch.latest_of(id) if row.value is not None][:8],
        "alarms": watch.alarms(state="open", entity=id, size=5).rows,
    }
    return render(request, "portal/parts/thing_card.html", context)


@require_GET
@opens("map.read")
def area_card(request: HttpRequest, code: str) -> HttpResponse:
    """The card of a town or village: its vital signs and how much there is of what."""
    area = Area.objects.filter(code=code).first()
    if area is None:
        return HttpResponse(status=404)
    context = {
        "area": area,
        "vitals": [row for row in watch.board(code) if row.value is not None][:8]
        if guard.may_open("indicator.read")
        else [],
        "open_alarms": watch.alarms(state="open", area=code, size=1).total,
        "things": registry.entities(area=code, size=1).total,
    }
    return render(request, "portal/parts/area_card.html", context)


@require_GET
@opens("area.read")
def base_map_file(request: HttpRequest) -> HttpResponseBase:
    """The place's own PMTiles file. The browser asks for ranges, a few kilobytes each."""
    declared = place().place.base_map
    if declared is None or declared.file is None or settings.ZHIWAN_PLACE is None:
        return not_found(request, _("底图文件"))
    path = settings.ZHIWAN_PLACE / declared.file
    size = path.stat().st_size
    wished = request.headers.get("Range", "")
    first, _dash, last = wished.removeprefix("bytes=").partition("-")
    if not wished.startswith("bytes=") or not first.isdecimal():
        return FileResponse(path.open("rb"), content_type="application/octet-stream")
    start, end = int(first), min(int(last) if last.isdecimal() else size - 1, size - 1)
    if start > end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    with path.open("rb") as file:
        body = os.pread(file.fileno(), end - start + 1, start)
    headers = {
        "Content-Range": f"bytes {start}-{end}/{size}",
        "Accept-Ranges": "bytes",
        "Cache-Control": "max-age=3600",
    }
    return HttpResponse(body, status=206, content_type="application/octet-stream", headers=headers)


def _table(request: HttpRequest) -> HttpResponse:
    """The map's facts without a map: for screen readers, for printing, for who wants figures."""
    kind = chosen(request, "type", packs().types)
    town = chosen(request, "town", (area.code for area in registry.areas("town")))
    page = queries.map_table(kind, town, whole(request, "page", 1), 100)
    context: dict[str, Any] = {
        "table": True,
        "settings": None,
        "page": page,
        "types": [row for row in registry.type_counts() if row.count],
        "towns": registry.areas("town"),
        "kind": kind,
        "town": town,
        "nothing": Text(zh="—", en="—"),
    }
    return render(request, "portal/map.html", context | _side(registry.current_place()))
