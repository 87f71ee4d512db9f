"""What a person or a client gets when a page fails: what is wrong, whether something was lost, what happens next.

Django calls `failed` inside the exception that no view caught. A database that does not answer is no error of the page:
it is told with the state of all parts (503), which needs no session; anything else is ours (500, and in the log).
"""

from __future__ import annotations

import sys

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from zhiwan.city.api.errors import RETRY_SECONDS, DatabaseSilent
from zhiwan.city.api.health import parts_now
from zhiwan.city.portal import health_rows
from zhiwan.city.portal.frame import THEME_COOKIE, THEMES


def failed(request: HttpRequest) -> HttpResponse:
    """The answer to a request on which something failed."""
    problem = sys.exc_info()[1]
    away = isinstance(problem, OperationalError | InterfaceError)
    wish = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    language = wish if wish in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    if away and "application/json" in request.headers.get("Accept", ""):
        response: HttpResponse = JsonResponse(DatabaseSilent().as_dict(), status=503)
    else:
        with translation.override(language):
            response = HttpResponse(_page(request, language, away), status=503 if away else 500)
    if away:
        response["Retry-After"] = RETRY_SECONDS
    response["Cache-Control"] = "no-store"
    return response


def _page(request: HttpRequest, language: str, away: bool) -> str:
    """Made without the request's session and person: they lie in the database."""
    theme = request.COOKIES.get(THEME_COOKIE, THEMES[0])
    asked = request.method in ("GET", "HEAD")
    context = {
        "language": language,
        "theme": theme if theme in THEMES else THEMES[0],
        "title": _("数据库没有应答") if away else _("这一页出错了"),
        "detail": _("网页需要的数据暂时取不到。设备发来的数据仍在接收，恢复后自动处理。")
        if away
        else _("这是平台的错误，已记入 web 日志。请稍后再试；若仍出错，请把时间告诉管理员。"),
        "not_saved": not asked,
        "again": away and asked,
        "path": request.get_full_path() if asked else "/",
        "parts": health_rows.rows(parts_now(timezone.now())) if away else [],
    }
    return render_to_string("portal/trouble.html", context)
