"""What every page's frame shows: the place, the post and its alternatives, the menu with its figures, the stream."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone, translation

from zhiwan.city.amendments.queries import waiting_count
from zhiwan.city.cases.models import Case, CaseState
from zhiwan.city.exports.queries import waiting as personal_exports
from zhiwan.city.people.acting import is_public
from zhiwan.city.people.ways_in import limits
from zhiwan.city.plans.models import Task
from zhiwan.city.portal.menu import menu_for
from zhiwan.city.registry import clock, spaces
from zhiwan.city.registry.models import Device
from zhiwan.city.registry.queries import current_place
from zhiwan.city.watch.models import Alarm, AlarmState, SetAside, Warning, WarningState

THEME_COOKIE = "zhiwan_theme"
THEMES = ("light", "dark")
#: What changed while a page was made may not be on it: its stream begins before that.
_MOST_SECONDS_TO_MAKE = 5
_UNFINISHED = (WarningState.PROPOSED, WarningState.DRAFT, WarningState.REVIEWED, WarningState.SIGNED)


def counts() -> dict[str, int]:
    """What waits for a person, within the scope of the post (partial indexes make each of these cheap)."""
    return {
        "alarms": Alarm.objects.exclude(state__in=AlarmState.ended()).count(),
        "warnings": 0 if is_public() else Warning.objects.filter(state__in=_UNFINISHED).count(),
        "tasks": Task.objects.filter(response__state="active", receipted_at=None).count(),
        "cases": Case.objects.exclude(state=CaseState.CLOSED).count(),
        "set_aside": SetAside.objects.filter(state="open").count(),
        "amendments": waiting_count(),
        "personal": personal_exports(),
    }


def _idle_seconds(request: HttpRequest) -> int:
    """After how long without keys or pointer the page signs out; 0 for nobody and for a wall."""
    row = getattr(request.session, "row", None)
    if row is None or row.user_id is None or row.wall:
        return 0
    return limits.at(timezone.now()).idle_minutes * 60


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor. Fragments and the sign-in page get the cheap part only."""
    theme = request.COOKIES.get(THEME_COOKIE, THEMES[0])
    shared: dict[str, Any] = {
        "theme": theme if theme in THEMES else THEMES[0],
        "language": translation.get_language() or settings.LANGUAGE_CODE,
        "place": None,
        "space": spaces.current(),
        "idle_seconds": _idle_seconds(request),
    }
    actor = getattr(request, "actor", None)
    # htmx asks for the "full" page where it picks a part of it (hx-select): that part stands within the frame.
    part = request.headers.get("HX-Request") and request.headers.get("HX-Request-Type") != "full"
    if actor is None or part:
        return shared
    return shared | {
        "place": current_place(),
        "actor": actor,
        "posts": request.posts,  # type: ignore[attr-defined]  # whoever acts came through the middleware
        "spaces": spaces.spaces(),
        "space_now": clock.now(),
        "menu": menu_for(request.path, counts()),
        "demo": Device.objects.filter(simulated=True).exists(),
        "live_ticket_url": reverse("portal:live_ticket") if settings.ZHIWAN_LIVE_URL else "",
        "live_since": f"{time.time() - _MOST_SECONDS_TO_MAKE:.3f}",
    }
