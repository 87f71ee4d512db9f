"""Signing in and out, and what a person chooses: post, language, theme."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from zhiwan.city.people import actions
from zhiwan.city.people.models import User
from zhiwan.city.people.queries import posts_of
from zhiwan.city.people.routes import declares
from zhiwan.city.portal.frame import THEME_COOKIE, THEMES
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import local_url

_YEAR = 365 * 24 * 3600


def _address(request: HttpRequest) -> str:
    return request.META.get("REMOTE_ADDR") or ""


def _enter(request: HttpRequest, user: User, how: str) -> None:
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    actions.record_sign_in(user=user, address=_address(request) or None, how=how)


@declares("way.enter")
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Name and password."""
    onward = local_url(request, request.POST.get("next") or request.GET.get("next"))
    if request.method == "GET":
        if request.user.is_authenticated:
            return redirect(onward)
        return render(request, "portal/sign_in.html", {"next": onward})
    name = request.POST.get("username", "")
    with transaction.atomic():
        user = authenticate(request, username=name, password=request.POST.get("password", ""))
        if isinstance(user, User):
            _enter(request, user, "password")
            return redirect(onward)
    problem = _("账号或密码不对。请再试一次，或请值班长确认账号。")
    return render(request, "portal/sign_in.html", {"next": onward, "username": name, "problem": problem}, status=401)


@declares("way.enter")
@never_cache
@require_GET
def use_link(request: HttpRequest, token: str) -> HttpResponse:
    """The one-time link of bin/up: signs in once, from this machine only."""
    try:
        with transaction.atomic():
            user = actions.use_link(token=token, address=_address(request))
            _enter(request, user, "link")
    except actions.LinkRefused as problem:
        return render(request, "portal/link.html", {"problem": sentence(problem)}, status=403)
    return redirect("/")


@declares("way.leave")
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session of this browser."""
    if isinstance(request.user, User):
        actions.record_sign_out(user=request.user, address=_address(request) or None)
    logout(request)
    return redirect("/in")


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
