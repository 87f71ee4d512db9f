"""/healthz and /metrics: each part with its state, in words for people and in numbers for Prometheus.

Both are answered without a token: they say how the platform is, nothing of what it knows. States: health_words.py;
the whole answers 503 while a part does not do its work.
"""

from __future__ import annotations

import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from zhiwan.city import supervised
from zhiwan.city.api.disks import disk
from zhiwan.city.api.health_words import WELL, Part, part
from zhiwan.city.keeping import plan
from zhiwan.city.keeping import queries as keeping
from zhiwan.city.packs_loaded import packs, the_bus
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.auditing.standing import standing
from zhiwan.city.people.routes import declares
from zhiwan.city.supervised import Supervised
from zhiwan.city.watch.heartbeat import Beat, beats
from zhiwan.city.watch.models import LatestValue
from zhiwan.kernel.facts.errors import CityError

log = logging.getLogger(__name__)
LIVE_PATIENCE = 2.0  # seconds
JOBS_SILENT_AFTER = timedelta(seconds=60)
STREAM_FULL, STREAM_FILLING = 0.99, 0.8
#: What the supervisor calls the servers.
SERVERS = {"PostgreSQL": "database", "NATS": "bus"}
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
    well = all(part["state"] in WELL for part in parts.values())
    answer = JsonResponse({"state": "ok" if well else "degraded", "parts": parts}, status=200 if well else 503)
    answer["Cache-Control"] = "no-store"
    return answer


def parts_now(now: datetime) -> dict[str, Part]:
    """The state of each part. One that fails says why and does not hide the others."""
    known = {SERVERS.get(name, name): one for name, one in supervised.read(Path(settings.ZHIWAN_DATA)).items()}
    parts = {
        "web": part("ok"),
        "packs": _asked(lambda: part("ok") | {"count": len(packs().packs)}, "PACKS"),
        "bus": _asked(_bus, "NO_BUS"),
        "live": _live(),
        "disk": disk(Path(settings.ZHIWAN_DATA)),
    }
    try:
        with acting_system("web"):
            parts["database"] = part("ok")
            signs = beats()
            parts["worker"] = _process(signs.get("worker"), now, known.get("worker"))
            parts["worker"]["latest_reading_at"] = _latest_reading()
            parts["door"] = _process(signs.get("door"), now, known.get("door"))
            parts["jobs"] = _jobs(now, known.get("jobs"))
            parts["audit"] = _audit(now)
            parts["backup"] = _backup(now)
    except DatabaseError as problem:
        log.warning("the database does not answer: %s", problem)
        parts["database"] = part("down", "NO_DATABASE")
        for name in ("worker", "door", "jobs", "audit", "backup"):
            parts[name] = part("unknown", "ONLY_DATABASE_KNOWS")
    for name, one in known.items():
        # The supervisor saw it end; what the part itself said before is history.
        if (told := _ended(one)) is not None:
            parts[name] = parts.get(name, {}) | told
    return parts


def _ended(one: Supervised) -> Part | None:
    if one.state == supervised.ENDED:
        return part("down", "ENDED", reason=one.reason, crashes=one.crashes)
    if one.state == supervised.ILL:
        return part("degraded", "NOT_STORING", reason=one.reason)
    return None


def _asked(ask: Callable[[], Part], code: str) -> Part:
    try:
        return ask()
    except CityError as problem:
        return part("down", code, problem=problem.as_dict()["detail"] or problem.as_dict()["fact"])


def _bus() -> Part:
    the_bus().ping()
    fullness = the_bus().fullness()
    stream = max(fullness, key=lambda name: fullness[name])
    percent = int(fullness[stream] * 100)
    if fullness[stream] >= STREAM_FULL:
        return part("degraded", "STREAM_FULL", stream=stream, percent=percent)
    if fullness[stream] >= STREAM_FILLING:
        return part("low", "STREAM_FILLING", stream=stream, percent=percent)
    return part("ok")


def _live() -> Part:
    if not settings.ZHIWAN_LIVE_URL:
        return part("ok", "LIVE_NOT_CONFIGURED")
    try:
        with _direct.open(f"{settings.ZHIWAN_LIVE_URL}/healthz", timeout=LIVE_PATIENCE):
            return part("ok")
    except (urllib.error.URLError, OSError):
        return part("down", "NO_LIVE")


def _process(beat: Beat | None, now: datetime, known: Supervised | None) -> Part:
    if beat is None:
        return part("down", "NEVER")
    age = now - beat.at
    if beat.ahead(now):
        return part("unknown", "FROM_AHEAD", seconds=int(-age.total_seconds()))
    # What the process calls its own state ("active") is its mode; the part is ok because it tells.
    facts = {"mode": beat.body.get("state"), **{key: value for key, value in beat.body.items() if key != "state"}}
    if _not_yet(age, known):
        return part("down", "STARTING", reason=known.reason if known else "") | facts
    if not beat.alive(now):
        return part("down", "SILENT", seconds=int(age.total_seconds())) | {"last_sign_at": beat.at.isoformat()}
    if problem := beat.body.get("lake_problem"):
        code = "LAKE_DISK_FULL" if problem == "disk full" else "LAKE_REFUSES"
        return part("degraded", code, problem=problem, rows=beat.body.get("lake_waiting_rows", 0)) | facts
    return part("ok") | facts


def _not_yet(age: timedelta, known: Supervised | None) -> bool:
    """Whether the last sign of life came from the process before the one that was started after a crash."""
    return known is not None and bool(known.reason) and age.total_seconds() > known.age()


def _latest_reading() -> str | None:
    newest = LatestValue.objects.order_by("-recorded_at").values_list("recorded_at", flat=True).first()
    return newest.isoformat() if newest else None


def _audit(now: datetime) -> Part:
    """Never `down`: what is wrong with the proof of what was done must not keep the city from working. It is told."""
    told = standing()
    found = "AUDIT_BROKEN" if told.whole is False else "AUDIT_UNSIGNED" if told.problem or told.late(now) else ""
    signed = told.signed_at.isoformat() if told.signed_at else None
    checked = told.checked_at.isoformat() if told.checked_at else None
    return part("low" if found else "ok", found) | {"last_signed_at": signed, "last_checked_at": checked}


def _backup(now: datetime) -> Part:
    """Never `down`: the city works without. That nothing could be put back is told."""
    data = Path(settings.ZHIWAN_DATA)
    planned, night = plan.read_plan(data), plan.read_night(data)
    last, drill = keeping.last_backup(), keeping.last_drill()
    facts = {
        "last_backup_at": last.isoformat() if last else None,
        "last_drill_at": drill.at.isoformat() if drill else None,
    }
    if planned is not None and plan.is_late(planned, last, now):
        return part("low", "BACKUP_LATE") | facts
    if night is not None and night.problems:
        return part("low", "NIGHT_PROBLEMS") | facts
    if drill is not None and not drill.held:
        return part("low", "DRILL_FAILED") | facts
    return (part("ok") if planned is not None else part("ok", "BACKUP_NONE")) | facts


def _jobs(now: datetime, known: Supervised | None) -> Part:
    with connection.cursor() as cursor:
        cursor.execute(_JOBS)
        last, waiting, failed = cursor.fetchone()
    facts: dict[str, Any] = {"waiting": waiting, "failed": failed}
    if last is None:
        return part("down", "NEVER") | facts
    if _not_yet(now - last, known):
        return part("down", "STARTING", reason=known.reason if known else "") | facts
    if now - last >= JOBS_SILENT_AFTER:
        return part("down", "SILENT", seconds=int((now - last).total_seconds())) | facts
    return part("ok") | facts
