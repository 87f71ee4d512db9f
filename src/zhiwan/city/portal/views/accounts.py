"""Accounts for administrators: who can come in, who is locked, where somebody is signed in; and what to do about it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.people import guard
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import limits, queries, recovery, sessions
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import Visit, act, chosen, not_found, whole
from zhiwan.city.portal.views.own import devices
from zhiwan.city.registry.lists.accounts import links_travel
from zhiwan.kernel.facts.errors import CityError

KINDS = {queries.STAFF: gettext_lazy("工作人员"), queries.RESIDENTS: gettext_lazy("居民和企业办事人")}
STATES = {
    "off": gettext_lazy("已停用"),
    "never": gettext_lazy("从未登录"),
    "without_second": gettext_lazy("没有动态码"),
}


@never_cache
@require_GET
@opens("account.see")
def listing(request: HttpRequest) -> HttpResponse:
    """Accounts with how they come in and whether they can."""
    kind, state = chosen(request, "kind", KINDS) or queries.STAFF, chosen(request, "state", STATES) or ""
    text = request.GET.get("q", "").strip()[:40]
    filters = {"kind": kind, "text": text, "state": state}
    now = timezone.now()
    page = queries.accounts(kind=kind, text=text, state=state, at=now, page=whole(request, "page", 1))
    shown = {"page": page, "filters": filters, "kinds": KINDS.items(), "states": STATES.items(), "part": "accounts"}
    return render(request, "portal/accounts.html", shown)


@never_cache
@require_GET
@opens("account.see")
def rules(request: HttpRequest) -> HttpResponse:
    """The numbers that hold for every way in, with their source."""
    return render(request, "portal/ways_in_rules.html", {"limits": limits.declared(timezone.now()), "part": "rules"})


@never_cache
@require_GET
@opens("account.see")
def detail(request: HttpRequest, id: int) -> HttpResponse:
    """One account: its ways in, its devices, what may be done."""
    row = queries.account(id, timezone.now())
    if row is None:
        return not_found(request, _("账号"))
    actor = cast(Visit, request).actor
    shown = {
        "row": row,
        "devices": devices(row.user),
        "self": actor.user is not None and actor.user.pk == row.user.pk,
        "may_unlock": guard.may("account.unlock"),
        "may_recover": guard.may("account.recover"),
        "may_switch": guard.may("account.switch"),
        "may_revoke": guard.may("session.revoke"),
        "limits": limits.at(timezone.now()),
    }
    return render(request, "portal/account.html", shown)


def _on_account(request: HttpRequest, id: int, action: Callable[[User], Any], done: str) -> HttpResponseBase:
    """An action of a form on one account's page, and back to it."""
    user = User.objects.filter(pk=id).first()
    if user is None:
        return not_found(request, _("账号"))
    return act(request, lambda: action(user), done, reverse("portal:account", args=[id]))


@require_POST
@opens("account.unlock")
def unlock(request: HttpRequest, id: int) -> HttpResponseBase:
    """Forgive wrong tries."""
    return _on_account(request, id, lambda user: recovery.unlock(user=user), _("已解锁。"))


@require_POST
@opens("session.revoke")
def revoke(request: HttpRequest, id: int) -> HttpResponseBase:
    """Sign out one device of the account, or all of them."""
    try:
        session = uuid.UUID(request.POST["session"]) if request.POST.get("session") else None
    except ValueError:
        return not_found(request, _("登录"))
    return _on_account(request, id, lambda user: sessions.revoke(user=user, session=session), _("已退出。"))


@require_POST
@opens("account.switch")
def switch(request: HttpRequest, id: int) -> HttpResponseBase:
    """Switch an account off or on."""
    if request.POST.get("to") == "on":
        return _on_account(request, id, lambda user: recovery.switch_on(user=user), _("账号已启用。"))
    return _on_account(request, id, lambda user: recovery.switch_off(user=user), _("账号已停用，所有设备已退出。"))


@never_cache
@require_POST
@opens("account.recover")
def recover(request: HttpRequest, id: int) -> HttpResponseBase:
    """A one-time link behind which the account chooses a new password; shown once, on the page itself."""
    user = User.objects.filter(pk=id).first()
    if user is None:
        return not_found(request, _("账号"))
    without_second = bool(request.POST.get("without_second"))
    try:
        token = recovery.give_link(user=user, without_second=without_second, anywhere=links_travel())
    except CityError as problem:
        messages.error(request, sentence(problem))
        return redirect("portal:account", id=id)
    link = request.build_absolute_uri(reverse("portal:use_link", args=[token]))
    shown = {
        "link": link,
        "account": user,
        "minutes": limits.at(timezone.now()).recovery_minutes,
        "here": not links_travel(),
    }
    return render(request, "portal/recovery_link.html", shown)
