"""Backups and drills: what could be put back, how old it is, and whether that was ever tried."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from zhiwan.city.keeping import plan, queries
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.views.base import whole


@require_GET
@opens("backup.read")
def listing(request: HttpRequest) -> HttpResponse:
    """The plan, how the last night went, all backups, the last drills."""
    data, now = Path(settings.ZHIWAN_DATA), timezone.now()
    planned, last = plan.read_plan(data), queries.last_backup()
    context = {
        "plan": planned,
        "late": planned is not None and plan.is_late(planned, last, now),
        "last": last,
        "night": plan.read_night(data),
        "page": queries.backups(page=whole(request, "page", 1)),
        "drills": queries.drills(),
    }
    return render(request, "portal/backups.html", context)
