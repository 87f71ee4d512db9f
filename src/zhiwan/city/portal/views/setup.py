"""The first run: place, areas, bodies, posts, people and devices from lists; seen before anything is written."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import guard
from zhiwan.city.people.acting import LIVE
from zhiwan.city.people.actions import create_link
from zhiwan.city.people.models import Organisation, Post, User
from zhiwan.city.people.ways_in.residents import PUBLIC
from zhiwan.city.portal import uploads
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.templatetags.portal import said
from zhiwan.city.portal.views.base import View, Visit, _defused, csv_download, csv_file, not_found, record_export
from zhiwan.city.registry.lists import KINDS, Kind
from zhiwan.city.registry.lists.accounts import LINK_MINUTES, links_travel
from zhiwan.city.registry.lists.bodies import roles
from zhiwan.city.registry.models import Area, Device, Place
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.sense.sheets import RowProblem, Sheet, read_sheet, write_xlsx

_SHOWN_PROBLEMS = 200
_SHOWN_ROWS = 20
_MOST_UPLOAD = 10 * 1024 * 1024
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


#: Who may enter which list: the district itself, who may do what in it, who comes in, what reports.
LISTS = {
    "place": "registry.found",
    "areas": "registry.found",
    "bodies": "people.authorise",
    "posts": "people.authorise",
    "people": "people.manage",
    "devices": "registry.change",
}


def live_only(view: View) -> View:
    """What is registered is registered for real: not while one looks at a story."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if cast(Visit, request).actor.space != LIVE:
            told = _("推演中不能登记。请先回到实况。")
            return render(request, "portal/not_found.html", {"sentence": told}, status=403)
        return view(request, *args, **kwargs)

    return guarded


def _step(view: Callable[..., HttpResponseBase]) -> View:
    """Gives the view its kind of list; unknown kinds are not there."""

    @wraps(view)
    def found(request: HttpRequest, kind: str, **kwargs: Any) -> HttpResponseBase:
        known = KINDS.get(kind)
        return view(request, known, **kwargs) if known else not_found(request, _("步骤"))

    return never_cache(opens(LISTS, by="kind")(live_only(found)))


@never_cache
@require_GET
@opens("setup.open")
@live_only
def overview(request: HttpRequest) -> HttpResponse:
    """The steps in their order, with what each has already."""
    if request.GET.get("later"):
        request.session["setup_later"] = True
        return redirect("portal:map")
    counts = {
        "place": Place.objects.count(),
        "areas": Area.objects.exclude(level="district").count(),
        "bodies": Organisation.objects.count(),
        "posts": Post.objects.filter(valid_to=None).exclude(role__in=PUBLIC).count(),
        "people": User.objects.filter(is_active=True, phone=None).count(),
        "devices": Device.objects.filter(simulated=False).count(),
    }
    says = {
        "place": _("核对城区名称和范围。代码来自安装时选定的城区文件夹。"),
        "areas": _("街镇、村居、网格。告警、案件和岗位权限都按区域归口。"),
        "bodies": _("责任单位。岗位属于单位。"),
        "posts": _("岗位决定能看哪些街镇、能办哪些事。人持有岗位。"),
        "people": _("账号不设初始密码，每人一个一次性登录链接。"),
        "devices": _("设备和它监测的对象。每台设备一个密钥，只显示一次。"),
    }
    mine = [kind for kind in KINDS.values() if guard.may_open(LISTS[kind.id])]
    steps = [{"kind": kind, "count": counts[kind.id], "says": says[kind.id]} for kind in mine]
    following = next((step for step in steps if not step["count"]), None)
    if following is None and counts["people"] <= 1:
        following = next((step for step in steps if cast(Kind, step["kind"]).id == "people"), None)
    return render(request, "portal/setup.html", {"steps": steps, "following": following})


@_step
def upload(request: HttpRequest, kind: Kind) -> HttpResponse:
    """What the list holds, its templates, and the upload, which leads to the preview."""
    if request.method == "POST":
        file = request.FILES.get("file")
        try:
            if file is None:
                messages.error(request, _("请先选择文件。"))
                return redirect("portal:setup_list", kind=kind.id)
            content = file.read(_MOST_UPLOAD + 1)
            sheet = read_sheet(content, file.name or "")
        except CityError as problem:
            messages.error(request, sentence(problem))
            return redirect("portal:setup_list", kind=kind.id)
        token = uploads.keep_sheet(sheet, kind=kind.id, user=_user(request), name=(file.name or "")[:120])
        return redirect("portal:setup_preview", kind=kind.id, token=token)
    context: dict[str, Any] = {
        "kind": kind,
        "kinds": list(KINDS.values()),
        "columns": kind.columns(),
        "types": [(id, one.title) for id, one in packs().types.items()] if kind.id == "devices" else [],
        "roles": list(roles().items()) if kind.id == "posts" else [],
        "waiting": _by_link() if kind.id == "people" else [],
    }
    return render(request, "portal/setup_list.html", context)


def _by_link() -> list[User]:
    """Accounts without a password: only a link lets them in."""
    accounts = User.objects.filter(is_active=True, phone=None).order_by("username")
    return [user for user in accounts if not user.has_usable_password()][:200]


@_step
def template(request: HttpRequest, kind: Kind, form: str) -> HttpResponseBase:
    """An empty list with one example row, as XLSX (with explanations) or CSV."""
    columns = kind.columns()
    header, example = [one.name for one in columns], [one.example for one in columns]
    if form == "csv":
        return csv_file(f"{kind.id}-template", header, [example])
    notes: list[list[str]] = [[_("列"), _("含义"), _("必填"), _("说明")]]
    notes += [[one.name, said(one.title), _("是") if one.required else "", said(one.help)] for one in columns]
    if kind.id == "devices":
        notes += [[], [_("类型"), _("含义")], *([id, said(one.title)] for id, one in packs().types.items())]
    if kind.id == "posts":
        notes += [[], [_("角色"), _("含义")], *([id, said(title)] for id, title in roles().items())]
    body = write_xlsx((said(kind.title), _("说明")), header, [example], notes)
    answer = HttpResponse(body, content_type=_XLSX)
    answer["Content-Disposition"] = f'attachment; filename="{kind.id}-template.xlsx"'
    return answer


@_step
def preview(request: HttpRequest, kind: Kind, token: str) -> HttpResponseBase:
    """What would be written, and what is wrong; POST writes it."""
    found = uploads.kept_sheet(token, kind=kind.id, user=_user(request))
    if found is None:
        messages.error(request, _("这份名单已处理或已过期，请重新上传。"))
        return redirect("portal:setup_list", kind=kind.id)
    name, sheet = found
    checked = kind.check(sheet)
    if request.method == "POST":
        return _confirm(request, kind, token, dict(checked.drafts), bad=len(checked.bad_rows))
    if request.GET.get("format") == "csv":
        return _problems_csv(request, kind, checked.problems)
    context = {
        "kind": kind,
        "name": name,
        "token": token,
        "total": len(sheet.rows),
        "good": len(checked.drafts),
        "problems": checked.problems[:_SHOWN_PROBLEMS],
        "problem_count": len(checked.problems),
        "bad": len(checked.bad_rows),
        "header": sheet.header,
        "rows": _rows(sheet, checked.bad_rows),
        "more": max(0, len(sheet.rows) - _SHOWN_ROWS),
    }
    return render(request, "portal/setup_preview.html", context)


def _rows(sheet: Sheet, bad: set[int]) -> list[dict[str, Any]]:
    """The first rows as they were read, with which of them are good."""
    return [
        {
            "number": row.number,
            "good": row.number not in bad and 1 not in bad,
            "cells": [(one, row.cells.get(one, "")) for one in sheet.header],
        }
        for row in sheet.rows[:_SHOWN_ROWS]
    ]


def _problems_csv(request: HttpRequest, kind: Kind, problems: list[RowProblem]) -> HttpResponseBase:
    header = [_("行"), _("列"), _("原值"), _("原因"), _("下一步")]
    lines = [[one.row, one.column, one.raw, said(one.reason), said(one.hint)] for one in problems]
    return csv_download(request, f"{kind.id}-problems", header, lines, needs="setup.open")


def _confirm(request: HttpRequest, kind: Kind, token: str, drafts: dict[int, object], *, bad: int) -> HttpResponse:
    if bad and request.POST.get("take") != "good":
        messages.error(request, _("还有不对的行，没有写入。请改好后重新上传，或选择只写入正确的行。"))
        return redirect("portal:setup_preview", kind=kind.id, token=token)
    if not drafts:
        messages.error(request, _("没有一行可以写入。"))
        return redirect("portal:setup_preview", kind=kind.id, token=token)
    try:
        with transaction.atomic():
            taken = kind.take(list(drafts.values()), timezone.now())
    except CityError as problem:
        messages.error(request, sentence(problem))
        return redirect("portal:setup_preview", kind=kind.id, token=token)
    uploads.drop(token)
    result = {
        "count": taken.count,
        "left": bad,
        "header": list(taken.secret_header),
        "secrets": [list(row) for row in taken.secrets],
        "secret_count": len(taken.secrets),
    }
    number = uploads.keep_result(result, kind=kind.id, user=_user(request))
    return redirect("portal:setup_result", kind=kind.id, token=number)


@_step
def result(request: HttpRequest, kind: Kind, token: str) -> HttpResponseBase:
    """What was written. POST gives the secrets as a file, once."""
    if request.method == "POST":
        given = uploads.take_secrets(token, kind=kind.id, user=_user(request))
        if given is None:
            messages.error(request, _("密钥只给一次，已经取走。丢失的请换发。"))
            return redirect("portal:setup_result", kind=kind.id, token=token)
        rows = [[_absolute(request, cell) for cell in row] for row in given["secrets"]]
        record_export(request, f"{kind.id}-secrets", len(rows))
        return _secrets_csv(kind, given["header"], rows)
    told = uploads.kept_result(token, kind=kind.id, user=_user(request))
    if told is None:
        return redirect("portal:setup")
    kinds = list(KINDS.values())
    at = kinds.index(kind) + 1
    context = {"kind": kind, "told": told, "following": kinds[at] if at < len(kinds) else None, "token": token}
    return render(request, "portal/setup_result.html", context)


def _secrets_csv(kind: Kind, header: list[str], rows: list[list[str]]) -> HttpResponse:
    """The last column is the secret, as it is: it may begin with a dash, and a mark before it would spoil it."""
    answer = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    writer = csv.writer(answer)
    writer.writerows([header, *([*map(_defused, row[:-1]), row[-1]] for row in rows)])
    answer["Content-Disposition"] = f'attachment; filename="{kind.id}-secrets.csv"'
    return answer


@never_cache
@require_POST
@opens("people.manage")
@live_only
def new_link(request: HttpRequest) -> HttpResponse:
    """Another one-time link for an account that never signed in; shown once, on the page itself."""
    user = User.objects.filter(username=request.POST.get("account", ""), is_active=True, phone=None).first()
    if user is None:
        return not_found(request, _("账号"))
    link = _absolute(request, "/in/" + create_link(user=user, minutes=LINK_MINUTES, anywhere=links_travel()))
    return render(request, "portal/setup_link.html", {"link": link, "account": user})


def _absolute(request: HttpRequest, cell: str) -> str:
    return request.build_absolute_uri(cell) if cell.startswith("/in/") else cell


def _user(request: HttpRequest) -> int:
    user = cast(Visit, request).actor.user
    assert user is not None  # noqa: S101 - pages are opened by signed-in people
    return int(user.pk)


def wanted(request: HttpRequest) -> bool:
    """Whether the command map should lead to the guide: nothing is registered, and its holder has not put it off."""
    post = cast(Visit, request).actor.post
    if post is None or not guard.may_open("registry.found") or request.session.get("setup_later"):
        return False
    return not Device.objects.exists()
