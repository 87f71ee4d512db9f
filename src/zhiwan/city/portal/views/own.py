"""“我的”: what an account is, how it signs in, where it is signed in, and for residents and firms who acts for whom."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.people.models import User
from zhiwan.city.people.queries import posts_of
from zhiwan.city.people.ways_in import demands, limits, passwords, phones, residents, second_factor, sessions
from zhiwan.city.people.ways_in.residents import is_public
from zhiwan.city.portal.agents import describe_agent
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.views import grants
from zhiwan.city.portal.views.base import act_of_account, the_account


@never_cache
@require_GET
@opens("way.account")
def own(request: HttpRequest) -> HttpResponse:
    """Everything of the account on one page."""
    user, now = the_account(request), timezone.now()
    number = phones.of(user)
    actor = getattr(request, "actor", None)
    context: dict[str, Any] = {
        "account": user,
        "posts_held": posts_of(user),
        "post_now": actor.post if actor else None,
        "phone": phones.masked(number.tail) if number else "",
        "public": is_public(actor),
        "devices": devices(user, request),
        **_ways(user, now),
        **(grants.of_account(user, now) if number else {}),
    }
    return render(request, "portal/own.html", context)


def devices(user: User, request: HttpRequest | None = None) -> list[dict[str, Any]]:
    """The sessions of an account as a page lists them; the one of this request first."""
    current = getattr(request.session, "row", None) if request else None
    rows = [
        {"row": row, "agent": describe_agent(row.agent), "current": current is not None and row.pk == current.pk}
        for row in sessions.of(user, timezone.now())
    ]
    return sorted(rows, key=lambda one: not one["current"])


def _ways(user: User, now: datetime) -> dict[str, Any]:
    """How the account signs in, and what of it is due."""
    has_second, days, rules = second_factor.enrolled(user), passwords.days_left(user, now), limits.at(now)
    return {
        "has_password": user.has_usable_password(),
        "password_days": days,
        "password_soon": days <= rules.password_warned_days,
        "has_second": has_second,
        "codes_left": second_factor.codes_left(user) if has_second else 0,
        "demanding": sorted(demands.roles_that_demand(user)),
        "limits": rules,
    }


@require_POST
@opens("way.account")
def end_session(request: HttpRequest, id: uuid.UUID) -> HttpResponseBase:
    """Sign out one of the account's devices."""
    user = the_account(request)
    return act_of_account(request, lambda: sessions.end(user=user, session=id), _("已退出该设备。"), "devices")


@require_POST
@opens("way.account")
def end_others(request: HttpRequest) -> HttpResponseBase:
    """Sign out everywhere else; with `all`, here too."""
    user, row = the_account(request), getattr(request.session, "row", None)
    if request.POST.get("all"):
        sessions.end_all(user=user)
        logout(request)
        return redirect("portal:sign_in")
    spare = str(row.public_id) if row else None
    return act_of_account(
        request, lambda: sessions.end_all(user=user, spare=spare), _("已退出其他所有设备。"), "devices"
    )


@require_POST
@opens("way.account")
def make_wall(request: HttpRequest) -> HttpResponse:
    """From now on this browser is a wall: it only looks, and is not signed out for being idle."""
    sessions.become_wall(request)
    return redirect("portal:map")


@require_POST
@opens("way.account")
def rename(request: HttpRequest) -> HttpResponseBase:
    """What a resident is called."""
    user, name = the_account(request), request.POST.get("name", "")
    return act_of_account(request, lambda: residents.rename(user=user, name=name), _("已保存。"), "identity")
