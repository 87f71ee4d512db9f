"""Who acts for whom: family proxies of residents, and the people that a firm's administrator names."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import firms, phones, proxies, sms
from zhiwan.city.people.ways_in.errors import GrantRefused, NotYours
from zhiwan.city.people.ways_in.models import FirmStaff, Proxy
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.views.base import act_of_account, address_of, door, the_account
from zhiwan.kernel.facts.errors import CityError

RELATIONS = {
    "parent": gettext_lazy("父母"),
    "child": gettext_lazy("子女"),
    "spouse": gettext_lazy("配偶"),
    "other": gettext_lazy("其他"),
}


def of_account(user: User, now: datetime) -> dict[str, Any]:
    """What the page "我的" shows of them."""
    return {
        "with_grants": True,
        "agents": [_proxy(one) for one in proxies.of_agent(user, now)],
        "wards": [_proxy(one) for one in proxies.of_ward(user, now)],
        "firms": [{"grant": one, "staff": _staff(one, now)} for one in firms.grants_of(user, now)],
    }


def _proxy(one: Proxy) -> dict[str, Any]:
    return {"row": one, "phone": phones.masked(one.ward_tail), "relation": RELATIONS.get(one.relation, one.relation)}


def _staff(grant: FirmStaff, now: datetime) -> list[dict[str, Any]]:
    """Who acts for the firm, for its administrators only."""
    if not grant.administrator:
        return []
    return [{"row": one, "phone": phones.masked(one.tail)} for one in firms.staff_of(grant.firm, now)]


def read_day(text: str) -> date:
    """A day of a form. Raises GrantRefused."""
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise GrantRefused(problem=_("请填写截止日期。")) from problem


def days_shown(now: datetime) -> dict[str, str]:
    """Between which days a grant may end, for the field of a form."""
    return {"first_day": timezone.localdate(now).isoformat(), "last_day": proxies.last_day(now).isoformat()}


@never_cache
@require_http_methods(["GET", "POST"])
@opens("way.account")
def new_proxy(request: HttpRequest) -> HttpResponse:
    """Ask to act for somebody, whose phone gets a code."""
    user, now, form = the_account(request), timezone.now(), request.POST
    problem: CityError | None = None
    if request.method == "POST":
        try:
            made = proxies.ask(
                agent=user,
                number=phones.read(form.get("phone", "")),
                name=form.get("name", ""),
                relation=form.get("relation", ""),
                valid_to=read_day(form.get("valid_to", "")),
                address=address_of(request),
                at=now,
            )
            return redirect("portal:proxy_confirm", id=made.pk)
        except CityError as refused:
            problem = refused
    shown = {"form": form, "relations": RELATIONS.items(), **days_shown(now)}
    return door(request, "new_proxy", _("申请家人代办"), shown, problem)


@never_cache
@require_http_methods(["GET", "POST"])
@opens("way.account")
def confirm_proxy(request: HttpRequest, id: int) -> HttpResponseBase:
    """The ward has told the code; with `resend` it is sent once more."""
    user, now = the_account(request), timezone.now()
    problem: CityError | None = None
    try:
        asked = proxies.asked(user, id, now)
    except NotYours:
        return redirect("portal:own")
    if request.method == "POST":
        try:
            if "resend" in request.POST:
                proxies.send_code(agent=user, proxy=asked, address=address_of(request), at=now)
            else:
                code = request.POST.get("code", "")
                proxies.confirm(agent=user, proxy_id=id, code=code, address=address_of(request), at=now)
                return redirect("portal:own")
        except CityError as refused:
            problem = refused
    shown = {"proxy": asked, "phone": phones.masked(asked.ward_tail), "local": sms.stays_here()}
    return door(request, "confirm_proxy", _("确认家人代办"), shown, problem)


@require_POST
@opens("way.account")
def end_proxy(request: HttpRequest, id: int) -> HttpResponseBase:
    """Over, by either side."""
    user = the_account(request)
    return act_of_account(request, lambda: proxies.end(user=user, proxy_id=id), _("已结束代办授权。"), "proxies")


@never_cache
@require_http_methods(["GET", "POST"])
@opens("way.account")
def new_staff(request: HttpRequest, code: str) -> HttpResponseBase:
    """A firm's administrator names a person who may act for it."""
    user, now, form = the_account(request), timezone.now(), request.POST
    mine = {one.firm.code: one.firm for one in firms.grants_of(user, now) if one.administrator}
    if code not in mine:
        return redirect("portal:own")
    problem: CityError | None = None
    if request.method == "POST":
        try:
            firms.grant(
                by=user,
                firm=mine[code],
                person=form.get("name", ""),
                number=phones.read(form.get("phone", "")),
                valid_to=read_day(form.get("valid_to", "")),
                administrator=bool(form.get("administrator")),
                at=now,
            )
            return redirect("portal:own")
        except CityError as refused:
            problem = refused
    return door(request, "new_staff", _("添加办事人"), {"form": form, "firm": mine[code], **days_shown(now)}, problem)


@require_POST
@opens("way.account")
def end_staff(request: HttpRequest, id: int) -> HttpResponseBase:
    """A person no longer acts for the firm."""
    user = the_account(request)
    return act_of_account(request, lambda: firms.end(by=user, staff_id=id), _("已取消该办事人的授权。"), "firms")
