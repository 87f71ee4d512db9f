"""Signing in by name and password or by a link, signing out, and what a person chooses: post, language, theme."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from zhiwan.city.people import actions
from zhiwan.city.people.models import User
from zhiwan.city.people.queries import posts_of
from zhiwan.city.people.routes import declares
from zhiwan.city.people.ways_in import passwords, rates, recovery, sessions
from zhiwan.city.people.ways_in.errors import SignInRefused, TooOften
from zhiwan.city.people.ways_in.presence import ENDED_COOKIE
from zhiwan.city.portal import entering
from zhiwan.city.portal.frame import THEME_COOKIE, THEMES
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import address_of, door, local_url, why_ended

_YEAR = 365 * 24 * 3600


@declares("way.enter")
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Name and password of staff; what else is owed follows (portal/entering.py)."""
    onward = local_url(request, request.POST.get("next") or request.GET.get("next"))
    told = {"next": onward, "username": request.POST.get("username", "")}
    if request.method == "GET":
        if request.user.is_authenticated:
            return redirect(onward)
        response = door(request, "sign_in", _("登录"), {**told, "ended": why_ended(request)})
        response.delete_cookie(ENDED_COOKIE, samesite="Lax")
        return response
    name, password = request.POST.get("username", ""), request.POST.get("password", "")
    try:
        user = passwords.check_name_and_password(name=name, password=password, address=address_of(request))
    except (SignInRefused, TooOften) as problem:
        return door(request, "sign_in", _("登录"), told, problem)
    return entering.begin(request, user, how="password", onward=onward)


@declares("way.enter")
@never_cache
@require_GET
def use_link(request: HttpRequest, token: str) -> HttpResponse:
    """A one-time link: of bin/up or a list of people, from this machine unless it says otherwise; or for recovery."""
    now, address = timezone.now(), address_of(request)
    try:
        rates.require_address(address, now)
        link = actions.take_link(token=token, address=address, at=now)
    except actions.LinkRefused as problem:
        try:
            rates.count_failure(address, now)
        except TooOften as often:
            return door(request, "link", _("登录"), {}, often)
        return render(request, "portal/link.html", {"problem": sentence(problem)}, status=403)
    except TooOften as often:
        return door(request, "link", _("登录"), {}, often)
    if link.recovery:
        recovery.begin(link, now)
    return entering.begin(request, link.user, how="recovery" if link.recovery else "link", onward="/")


@declares("way.leave")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session of this browser, and the streams of its pages."""
    row = getattr(request.session, "row", None)
    if isinstance(request.user, User):
        actions.record_sign_out(user=request.user, address=address_of(request) or None)
    logout(request)
    if row is not None:
        sessions.cut_streams([row.public_id])
    return redirect("/in")


@declares("way.account")
@require_POST
def here(request: HttpRequest) -> HttpResponse:
    """A page says that its person used keys or pointer (people/ways_in/presence.py notes it), or has not for too long:
    `idle` ends the session as its own limit would."""
    row = getattr(request.session, "row", None)
    if row is None or not isinstance(request.user, User):
        return HttpResponse(status=401)
    if request.POST.get("idle"):
        sessions.end(user=request.user, session=row.public_id, why="idle")
    return HttpResponse(status=204)


@declares("way.choose_post")
@require_POST
def choose_post(request: HttpRequest) -> HttpResponse:
    """Act through another post that the account holds, from the next request on."""
    wished = request.POST.get("post", "")
    if request.user.is_authenticated and wished in {post.id for post in posts_of(request.user)}:
        request.session["post"] = wished
    return redirect(local_url(request, request.POST.get("next")))


@declares("way.prefer")
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Language of this browser, kept with the account too."""
    response = redirect(local_url(request, request.POST.get("next")))
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=_YEAR, samesite="Lax", secure=request.is_secure()
        )
        if isinstance(request.user, User):
            actions.set_language(user=request.user, language=language)
    return response


@declares("way.prefer")
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Light for the desk, dark for the wall."""
    response = redirect(local_url(request, request.POST.get("next")))
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=_YEAR, samesite="Lax", httponly=True, secure=request.is_secure()
        )
    return response
