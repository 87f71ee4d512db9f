"""/healthz and /metrics: each part with its state, in words for people and in numbers for Prometheus.

Both are answered without a token: they say how the platform is, nothing of what it knows. A part is `ok`, `down` or
`unknown`; the whole answers 503 while a part is not ok.
"""

from __future__ import annotations

import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from zhiwan.city.packs_loaded import packs, the_bus
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.routes import declares
from zhiwan.city.watch.heartbeat import Beat, beats
from zhiwan.city.watch.models import LatestValue
from zhiwan.kernel.facts.errors import CityError, PartUnavailable

log = logging.getLogger(__name__)
Part = dict[str, Any]
LIVE_PATIENCE = 2.0  # seconds
JOBS_SILENT_AFTER = timedelta(seconds=60)
_JOBS = """
SELECT (SELECT max(last_heartbeat) FROM procrastinate_workers),
       (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'),
       (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed')
"""
# Our own parts: never through a proxy of the environment, and by the certificate authority of --lan where there is one.
_direct = urllib.request.build_opener(
    urllib.request.ProxyHandler({}),
    urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=settings.ZHIWAN_CA_FILE or None)),
)


@declares("way.pulse")
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Every part of the platform and whether it works."""
    parts = parts_now(timezone.now())
    well = all(part["state"] == "ok" for part in parts.values())
    answer = JsonResponse({"state": "ok" if well else "degraded", "parts": parts}, status=200 if well else 503)
    answer["Cache-Control"] = "no-store"
    return answer


def parts_now(now: datetime) -> dict[str, Part]:
    """The state of each part. One that fails says why and does not hide the others."""
    parts = {
        "web": {"state": "ok"},
        "packs": _asked(lambda: {"count": len(packs().packs)}),
        "bus": _asked(_bus),
        "live": _asked(_live),
    }
    try:
        with acting_system("web"):
            parts["database"] = {"state": "ok"}
            signs = beats()
            parts["worker"] = _process(signs.get("worker"), now) | {"latest_reading_at": _latest_reading()}
            parts["door"] = _process(signs.get("door"), now)
            parts["jobs"] = _jobs(now)
    except DatabaseError as problem:
        log.warning("the database does not answer: %s", problem)
        parts["database"] = {"state": "down", "says": "the database does not answer"}
        for name in ("worker", "door", "jobs"):
            parts.setdefault(name, {"state": "unknown", "says": "only the database knows"})
    return parts


def _asked(ask: Callable[[], Part]) -> Part:
    try:
        return {"state": "ok"} | ask()
    except CityError as problem:
        return {"state": "down", "says": problem.as_dict()["fact"]}


def _bus() -> Part:
    the_bus().ping()
    return {}


class LiveDown(PartUnavailable):
    """The process that tells open pages does not answer."""

    code = "LIVE-010"
    fact = "the live stream does not answer"
    hint = "Pages show what they loaded; reload them. bin/up starts the process again by itself."


def _live() -> Part:
    if not settings.ZHIWAN_LIVE_URL:
        return {"says": "not configured: pages do not update by themselves"}
    try:
        with _direct.open(f"{settings.ZHIWAN_LIVE_URL}/healthz", timeout=LIVE_PATIENCE):
            return {}
    except (urllib.error.URLError, OSError) as problem:
        raise LiveDown() from problem


def _process(beat: Beat | None, now: datetime) -> Part:
    if beat is None:
        return {"state": "down", "says": "never started"}
    age = int((now - beat.at).total_seconds())
    if not beat.alive(now):
        return {"state": "down", "says": f"silent for {age} s", "last_sign_at": beat.at.isoformat()}
    # What the process calls its own state ("active") is its mode; the part is ok because it tells.
    return {"state": "ok", "mode": beat.body.get("state"), **{k: v for k, v in beat.body.items() if k != "state"}}


def _latest_reading() -> str | None:
    newest = LatestValue.objects.order_by("-recorded_at").values_list("recorded_at", flat=True).first()
    return newest.isoformat() if newest else None


def _jobs(now: datetime) -> Part:
    with connection.cursor() as cursor:
        cursor.execute(_JOBS)
        last, waiting, failed = cursor.fetchone()
    alive = last is not None and now - last < JOBS_SILENT_AFTER
    return {"state": "ok" if alive else "down", "waiting": waiting, "failed": failed}
