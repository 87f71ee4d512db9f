"""The language of a page: what the person chose, else the first language of the installation.

Not the browser's: a centre works in one language, and a foreign laptop on the wall must not turn the wall into English.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation


def chosen_language(request: HttpRequest) -> str:
    """Cookie of this browser, else the account's own choice, else the default."""
    known = dict(settings.LANGUAGES)
    user = getattr(request, "user", None)
    wishes = [request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME), getattr(user, "language", None)]
    return next((wish for wish in wishes if wish in known), settings.LANGUAGE_CODE)


class LanguageMiddleware:
    """Turns the page's language on for the request; stands after the authentication."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = chosen_language(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        return response
