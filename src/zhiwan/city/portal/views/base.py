"""What all views share: who may enter, how an action of a form runs and reports, paging, filters, CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import Actor
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.registry import spaces
from zhiwan.kernel.facts.errors import CityError

View = Callable[..., HttpResponseBase]


class Visit(HttpRequest):
    """A request of a signed-in person with a post (see people/middleware.py)."""

    actor: Actor


def local_url(request: HttpRequest, wished: str | None, otherwise: str = "/") -> str:
    """An address of this site to go back to; anything else becomes `otherwise`."""
    if wished and url_has_allowed_host_and_scheme(wished, {request.get_host()}, request.is_secure()):
        parts = urlsplit(wished)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path
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


def whole(request: HttpRequest, name: str, otherwise: int, least: int = 1, most: int = 1_000_000) -> int:
    """A whole number of the query string within bounds; nonsense is the default."""
    try:
        return max(least, min(most, int(request.GET.get(name, otherwise))))
    except ValueError:
        return otherwise


def chosen(request: HttpRequest, name: str, allowed: Iterable[str]) -> str | None:
    """A filter's value if it is one that exists."""
    value = request.GET.get(name, "")
    return value if value in set(allowed) else None


class _Echo:
    def write(self, value: str) -> str:
        return value


def csv_download(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A list of the city that someone takes away: for who may, and written into the audit. Masked like the page."""
    guard.require("list.export")
    rows = list(rows)
    audit.record("list.export", f"list:{name}"[:160], at=timezone.now(), after={"rows": len(rows)})
    return csv_file(name, header, rows)


def csv_file(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """Rows as CSV that spreadsheets open: UTF-8 with mark, formulas defused, at most what the caller pages out."""
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
