"""Residents and firms come in by a code on the phone: first the number, then the code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from zhiwan.city.people.routes import declares
from zhiwan.city.people.ways_in import firms, phones, residents, sms
from zhiwan.city.people.ways_in.seals import seal, unseal
from zhiwan.city.portal import entering
from zhiwan.city.portal.views.base import address_of, door, why_ended
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.facts.ids import check_credit_code

#: What was sent, in the session of the visitor: the number is not in any address or hidden field.
_ASKED = "phone_asked"


@declares("way.enter")
@never_cache
@require_http_methods(["GET", "POST"])
def resident(request: HttpRequest) -> HttpResponse:
    """A resident: a number, then the code."""

    def send(asked: dict[str, str]) -> None:
        residents.send_code(number=asked["number"], address=address_of(request))

    def enter(asked: dict[str, str], code: str) -> HttpResponse:
        user = residents.sign_in(number=asked["number"], code=code, address=address_of(request))
        return entering.begin(request, user, how="phone", onward="/me", post=residents.RESIDENT)

    return _two_steps(request, "resident", _("居民登录"), _number_of, send, enter)


@declares("way.enter")
@never_cache
@require_http_methods(["GET", "POST"])
def firm(request: HttpRequest) -> HttpResponse:
    """A firm: its credit code and the number of a person who acts for it, then the code."""

    def read(form: Any) -> dict[str, str]:
        return {"code": check_credit_code(form.get("credit_code", "")), **_number_of(form)}

    def send(asked: dict[str, str]) -> None:
        firms.send_code(code=asked["code"], number=asked["number"], address=address_of(request))

    def enter(asked: dict[str, str], code: str) -> HttpResponse:
        user, post = firms.sign_in(
            code=asked["code"], number=asked["number"], sms_code=code, address=address_of(request)
        )
        return entering.begin(request, user, how="firm", onward="/me", post=post.id)

    return _two_steps(request, "firm", _("企业登录"), read, send, enter)


def _number_of(form: Any) -> dict[str, str]:
    return {"number": phones.read(form.get("phone", ""))}


def _two_steps(
    request: HttpRequest,
    who: str,
    title: str,
    read: Callable[[Any], dict[str, str]],
    send: Callable[[dict[str, str]], None],
    enter: Callable[[dict[str, str], str], HttpResponse],
) -> HttpResponse:
    """GET: the first step, or the second while a code is on its way (`?again` begins anew). POST: with `code` the
    second step, with `resend` the code once more, else the first."""
    if "again" in request.GET:
        request.session.pop(_ASKED, None)
        return redirect(request.path)
    asked = _asked(request, who)
    problem: CityError | None = None
    form = request.POST
    if request.method == "POST":
        try:
            if asked and "code" in form:
                return enter(asked, form["code"])
            wanted = asked if asked and "resend" in form else read(form)
            send(wanted)
            request.session[_ASKED] = {who: seal(json.dumps(wanted)).decode()}
            return redirect(request.path)
        except CityError as refused:
            problem = refused
    shown = {
        "who": who,
        "asked": asked,
        "shown_number": phones.masked(phones.tail(asked["number"])) if asked else "",
        "phone": form.get("phone", ""),
        "credit_code": form.get("credit_code", ""),
        "ended": why_ended(request) if request.method == "GET" and not asked else "",
        "local": sms.stays_here(),
    }
    return door(request, "phone", title, shown, problem)


def _asked(request: HttpRequest, who: str) -> dict[str, str] | None:
    """What the visitor asked a code for; sealed, because a session lies in the database."""
    sealed = (request.session.get(_ASKED) or {}).get(who)
    return json.loads(unseal(sealed.encode())) if sealed else None
