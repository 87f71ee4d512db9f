"""A story as it is played: its steps with the clock, what happened, and what waits for a person."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from zhiwan.city.people.acting import LIVE
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.views.base import Visit
from zhiwan.city.registry import spaces
from zhiwan.kernel.facts.spaces import SpaceClock


@require_GET
@never_cache
@opens("space.read")
def page(request: Visit) -> HttpResponse:
    """The story of this space; in the live space, the stories there are."""
    return render(request, "portal/story.html", {"found": spaces.spaces(), **_told()})


@require_GET
@never_cache
@opens("space.read")
def steps(request: Visit) -> HttpResponse:
    """The steps alone, asked for again every moment. Nothing once the story was dropped: the page loads anew."""
    told = _told()
    if told["story"] is None:
        return HttpResponse(status=204)
    return render(request, "portal/parts/story_steps.html", told)


@require_http_methods(["GET", "POST"])
@never_cache
@opens("space.enter")
def choose_space(request: HttpRequest) -> HttpResponse:
    """Step into a story, or back to what is real, from the next request on. GET: the switch as it is now."""
    if request.method == "GET":
        return render(request, "portal/parts/spaces.html", {"spaces": spaces.spaces()})
    space = spaces.space_in_use(request.POST.get("space"))
    request.session["space"] = space
    return redirect("portal:map" if space == LIVE else "portal:story")


def _told() -> dict[str, Any]:
    story = spaces.current()
    if story is None:
        return {"story": None}
    english = translation.get_language() == "en"

    def said(text: dict[str, str] | None) -> str:
        return (text or {}).get("en" if english else "zh", "")

    told = story.told
    rows = [
        {
            **step,
            "title": said(step["title"]),
            "text": said(step["text"]),
            "at": SpaceClock.from_json([[step["at"], step["at"], 1]]).spans[0].shown,
            "happened": [{**one, "text": said(one["text"])} for one in step["happened"]],
        }
        for step in told.get("steps", [])
    ]
    waiting = told.get("waiting")
    return {
        "story": story,
        "about": said(told.get("about")),
        "now": SpaceClock.from_json(story.clock).at(timezone.now()),
        "steps": rows,
        "waiting": {**waiting, "text": said(waiting["text"])} if waiting else None,
    }
