"""The state of the platform's parts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from zhiwan.city.api.health import parts_now
from zhiwan.city.packs_loaded import packs
from zhiwan.city.portal import health_rows
from zhiwan.city.portal.gate import opens


@require_GET
@opens("health.read")
def health(request: HttpRequest) -> HttpResponse:
    """Each part with its state, for people; machines ask /healthz. The table asks again by itself."""
    parts = health_rows.rows(parts_now(timezone.now()))
    part = bool(request.headers.get("HX-Request"))
    context = {
        "parts": parts,
        "ill": sum(not row["well"] for row in parts),
        "packs": [pack.manifest for pack in packs().packs],
        "at": timezone.now(),
    }
    return render(request, "portal/parts/health.html" if part else "portal/health.html", context)
