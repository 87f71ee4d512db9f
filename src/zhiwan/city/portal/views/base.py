"""What all views share: who may enter, how an action of a form runs and reports, paging, filters, CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import Actor
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import limits, session_store
from zhiwan.city.people.ways_in.errors import SignInRefused, TooOften
from zhiwan.city.people.ways_in.presence import ENDED_COOKIE
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.registry import clock, spaces
from zhiwan.kernel.facts.errors import CityError, InputRefused, PartUnavailable

View = Callable[..., HttpResponseBase]


class Visit(HttpRequest):
    """A request of a signed-in person with a post (see people/middleware.py)."""

    actor: Actor


def the_account(request: HttpRequest) -> User:
    """The account behind a view that every account may open."""
    assert isinstance(request.user, User)  # noqa: S101 - the gate saw to it
    return request.user


def local_url(request: HttpRequest, wished: str | None, otherwise: str = "/") -> str:
    """An address of this site to go back to; anything else becomes `otherwise`."""
    if wished and url_has_allowed_host_and_scheme(wished, {request.get_host()}, request.is_secure()):
        parts = urlsplit(wished)
        # Without its own host a path like //elsewhere/x would name another.
        path = "/" + parts.path.lstrip("/\\")
        return f"{path}?{parts.query}" if parts.query else path
    return otherwise


def act(request: HttpRequest, action: Callable[[], Any], done: str, back: str) -> HttpResponseRedirect:
    """Run an action of a form and go back: the page tells what was done, or why it was refused."""
    try:
        action()
    except CityError as problem:
        messages.error(request, sentence(problem))
    else:
        messages.success(request, done)
    return redirect(back)


def door(
    request: HttpRequest,
    body: str,
    title: str,
    context: dict[str, Any] | None = None,
    problem: CityError | None = None,
) -> HttpResponse:
    """A page of one narrow column, such as a step of signing in: `body` stands in the frame of the desk, or alone.

    A refusal is told on it, with the status that clients and proxies understand.
    """
    shown = {"body": f"portal/door/{body}.html", "title": title, **(context or {})}
    if problem is None:
        return render(request, "portal/door.html", shown)
    response = render(request, "portal/door.html", {**shown, "problem": sentence(problem)}, status=_status(problem))
    if isinstance(problem, TooOften):
        response["Retry-After"] = str(problem.retry_after)
    return response


def address_of(request: HttpRequest) -> str:
    """Where a request comes from."""
    return request.META.get("REMOTE_ADDR") or ""


def why_ended(request: HttpRequest) -> str:
    """Why the session that the browser still names is over; empty where there was none."""
    rules = limits.at(timezone.now())
    words = {
        session_store.IDLE: _("{n} 分钟没有操作，已自动退出。").format(n=rules.idle_minutes),
        session_store.OLD: _("登录已满 {n} 小时，请重新登录。").format(n=rules.session_hours),
        "own": _("这次登录已在另一台设备上结束。"),
        "revoked": _("管理员结束了这次登录。"),
        "password": _("密码已更改，请用新密码登录。"),
        "recovery": _("账号已按恢复链接重置，请用新密码登录。"),
    }
    return words.get(getattr(request.session, "ended", "") or request.COOKIES.get(ENDED_COOKIE, ""), "")


def _status(problem: CityError) -> int:
    known = {TooOften: 429, SignInRefused: 401, PartUnavailable: 503}
    return next((known[kind] for kind in type(problem).__mro__ if kind in known), 422)


def act_of_account(request: HttpRequest, action: Callable[[], Any], done: str, part: str) -> HttpResponseRedirect:
    """An action of a form on "我的", and back to that part of the page."""
    return act(request, action, done, f"{reverse('portal:own')}#{part}")


def whole(request: HttpRequest, name: str, otherwise: int, least: int = 1, most: int = 1_000_000) -> int:
    """A whole number of the query string within bounds; nonsense is the default."""
    try:
        return max(least, min(most, int(request.GET.get(name, otherwise))))
    except ValueError:
        return otherwise


class NotATime(InputRefused):
    """A form field that should hold a time."""

    code = "PORTAL-003"
    fact = '"{given}" is not a time'
    hint = "Write it as 2026-07-01T08:00."


def moment_given(text: str) -> datetime | None:
    """A local time of a form; None where it was left empty."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise NotATime(given=text) from None
    return found if found.tzinfo else timezone.make_aware(found)


def chosen(request: HttpRequest, name: str, allowed: Iterable[str]) -> str | None:
    """A filter's value if it is one that exists."""
    value = request.GET.get(name, "")
    return value if value in set(allowed) else None


class _Echo:
    def write(self, value: str) -> str:
        return value


def csv_download(
    request: HttpRequest,
    name: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    purpose: str = "",
    filters: Mapping[str, Any] | None = None,
    needs: str = "list.export",
) -> StreamingHttpResponse:
    """A list as CSV that spreadsheets open: UTF-8 with mark, formulas defused, at most what the caller pages out.

    Taking data out is recorded: which list, by which filters (those of the address, if no others are named), how many
    rows, and for what purpose. It is for who may export lists, unless its view asked for another action (`needs`).
    """
    if needs:
        guard.require(needs)
    rows = list(rows)
    record_export(request, name, len(rows), purpose=purpose, filters=filters)
    return csv_file(name, header, rows)


def record_export(
    request: HttpRequest, name: str, rows: int, *, purpose: str = "", filters: Mapping[str, Any] | None = None
) -> None:
    """Data leaves the platform: the record of it, in the transaction of the request."""
    asked = {key: value for key, value in request.GET.items() if key != "format"} if filters is None else dict(filters)
    after = {"rows": rows, **({"filters": asked} if asked else {})}
    audit.record("data.export", f"export:{name}"[:160], at=clock.now(), after=after, purpose=purpose)


def csv_file(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A CSV that takes nothing out: a template to fill in."""
    if (story := spaces.current()) is not None:
        # Every row of a story says so, and the file's name does: a sheet lives on without the page it came from.
        header = [_("空间"), *header]
        rows = [[f"{_('推演')} {story.id}", *row] for row in rows]
        name = f"story-{story.id}-{name}"

    def lines() -> Iterator[str]:
        writer = csv.writer(_Echo())
        yield "\ufeff"
        for row in [header, *rows]:  # read here: the transaction of the request ends before a stream is sent
            yield str(writer.writerow([_defused(cell) for cell in row]))

    response = StreamingHttpResponse(list(lines()), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _defused(cell: Any) -> str:
    """A text that begins like a formula is opened as text (CSV injection)."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(tuple("=+-@\t\r")) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def not_found(request: HttpRequest, what: str) -> HttpResponse:
    """A page that says what is not there; rows outside the post's towns look the same as rows that do not exist."""
    sentence_ = _("没有找到{what}，或它不在本岗位的管辖范围内。").format(what=what)
    return render(request, "portal/not_found.html", {"sentence": sentence_}, status=404)
