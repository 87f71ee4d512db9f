"""Service accounts: what machines may use of the API, their keys and when those end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from zhiwan.city.api.scopes import SCOPES
from zhiwan.city.people.models import Post
from zhiwan.city.people.ways_in import limits, machines
from zhiwan.city.people.ways_in.errors import ServiceRefused
from zhiwan.city.people.ways_in.models import ServiceAccount
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import act, not_found
from zhiwan.kernel.facts.errors import CityError

TITLES = {
    "observation.send": gettext_lazy("发送监测数据"),
    "entity.read": gettext_lazy("读取对象和历史"),
    "indicator.read": gettext_lazy("读取体征"),
    "alarm.read": gettext_lazy("读取告警"),
    "warning.read": gettext_lazy("读取预警"),
    "case.read": gettext_lazy("读取案件"),
}


@never_cache
@require_http_methods(["GET", "POST"])
@opens("service.manage")
def listing(request: HttpRequest) -> HttpResponse:
    """All service accounts; POST makes one and shows its key once."""
    now, form = timezone.now(), request.POST
    problem: CityError | None = None
    if request.method == "POST":
        try:
            account, key = machines.create(
                title=form.get("title", ""),
                post=_post(form.get("post", "")),
                scopes=[one for one in form.getlist("scopes") if one in SCOPES],
                days=_days(form.get("days", "")),
                at=now,
            )
            return _key_page(request, account, key)
        except CityError as refused:
            problem = refused
    shown = {
        "accounts": [_shown(one, now) for one in machines.accounts()],
        "posts": Post.objects.filter(valid_to=None).exclude(role__in=("resident", "firm")).order_by("id"),
        "scopes": [(id, TITLES.get(id, id)) for id in SCOPES],
        "chosen": form.getlist("scopes"),
        "form": form,
        "problem": sentence(problem) if problem else "",
        "most_days": limits.at(now).key_days,
        "part": "services",
    }
    return render(request, "portal/services.html", shown, status=422 if problem else 200)


@never_cache
@require_http_methods(["GET", "POST"])
@opens("service.manage")
def detail(request: HttpRequest, id: int) -> HttpResponseBase:
    """One service account with its keys; POST changes its scopes."""
    account = machines.account(id)
    if account is None:
        return not_found(request, _("服务账号"))
    if request.method == "POST":
        scopes = [one for one in request.POST.getlist("scopes") if one in SCOPES]
        return _back(request, account, lambda: machines.change_scopes(account=account, scopes=scopes), _("已保存。"))
    now = timezone.now()
    shown = {
        **_shown(account, now),
        "keys": [_key(one, now) for one in account.keys.order_by("-id")],
        "all_scopes": [(id, TITLES.get(id, id)) for id in SCOPES],
        "limits": limits.at(now),
    }
    return render(request, "portal/service.html", shown)


@never_cache
@require_POST
@opens("service.manage")
def rotate(request: HttpRequest, id: int) -> HttpResponseBase:
    """A new key, shown once; the old one lives on for some hours."""
    account = machines.account(id)
    if account is None:
        return not_found(request, _("服务账号"))
    made: list[str] = []

    def action() -> None:
        made.append(machines.rotate(account=account, days=_days(request.POST.get("days", ""))))

    answer = _back(request, account, action, _("已换发。"))
    return _key_page(request, account, made[0]) if made else answer


@require_POST
@opens("service.manage")
def end(request: HttpRequest, id: int) -> HttpResponseBase:
    """End one key, or the whole account."""
    account = machines.account(id)
    if account is None:
        return not_found(request, _("服务账号"))
    key = request.POST.get("key", "")
    if key.isdigit():
        return _back(request, account, lambda: machines.end_key(account=account, key_id=int(key)), _("密钥已作废。"))
    return _back(request, account, lambda: machines.end_account(account=account), _("服务账号已停用。"))


def _back(request: HttpRequest, account: ServiceAccount, action: Callable[[], Any], done: str) -> HttpResponse:
    return act(request, action, done, reverse("portal:service", args=[account.pk]))


def _key_page(request: HttpRequest, account: ServiceAccount, key: str) -> HttpResponse:
    hours = limits.at(timezone.now()).key_overlap_hours
    return render(request, "portal/service_key.html", {"account": account, "key": key, "hours": hours})


def _post(id: str) -> Post:
    found = Post.objects.filter(pk=id, valid_to=None).first()
    if found is None:
        raise ServiceRefused(problem=_("请选择岗位。"))
    return found


def _days(text: str) -> int | None:
    """Days of a form; empty for as long as is allowed. Raises ServiceRefused."""
    if not text:
        return None
    if not text.isdigit():
        raise ServiceRefused(problem=_("请填写天数。"))
    return int(text)


def _shown(account: ServiceAccount, now: datetime) -> dict[str, Any]:
    keys = [_key(one, now) for one in account.keys.all()]
    good = [one for one in keys if one["works"]]
    return {
        "account": account,
        "scope_titles": [TITLES.get(one, one) for one in account.scopes],
        "ends": max((one["row"].expires_at for one in good), default=None),
        "used": max((one["row"].last_used_at for one in keys if one["row"].last_used_at), default=None),
        "soon": bool(good) and (max(one["row"].expires_at for one in good) - now).days < 30,
    }


def _key(row: Any, now: datetime) -> dict[str, Any]:
    return {"row": row, "works": row.ended_at is None and row.expires_at > now}
