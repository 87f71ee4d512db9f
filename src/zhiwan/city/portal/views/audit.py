"""The audit for its administrator: find records, read one with its place in the chain, take a list out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from zhiwan.city.people.auditing import searching
from zhiwan.city.people.auditing.searching import Edge, Filters
from zhiwan.city.people.auditing.standing import standing
from zhiwan.city.people.models import AuditRecord, Organisation, Post
from zhiwan.city.portal.audit_words import action_word, process_word
from zhiwan.city.portal.changes import changes, in_short
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.menu import leads_somewhere
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.templatetags.portal import both, moment_text
from zhiwan.city.portal.views.base import NotATime, csv_download, moment_given, not_found
from zhiwan.kernel.guard.chain import ZERO

SIZE = 50
MOST_CSV = 20_000
#: Kinds of subjects that have a page, with its name.
PAGES = {"case": "case", "alarm": "alarm", "warning": "warning", "response": "response", "entity": "entity"}


@require_GET
@never_cache
@opens("audit.search")
def listing(request: HttpRequest) -> HttpResponse:
    """Newest first, a page at a time; `before` and `after` are the edges of pages."""
    filters, problem = _filters(request)
    found = searching.search(
        filters,
        before=Edge.read(request.GET.get("before", "")),
        after=Edge.read(request.GET.get("after", "")),
        size=SIZE,
    )
    context = {
        "rows": [_row(one) for one in _with_posts(found.rows)],
        "older": found.older,
        "newer": found.newer,
        "filters": filters,
        "given": request.GET,
        "problem": problem,
        "set": bool(filters.told()),
        "posts": Post.objects.order_by("id"),
        "actions": sorted(((one, action_word(one)) for one in searching.actions()), key=lambda pair: pair[1]),
        "spaces": searching.spaces(),
        "most": MOST_CSV,
        **_state(),
    }
    return render(request, "portal/audit.html", context)


def _state() -> dict[str, Any]:
    told = standing()
    return {"standing": told, "late": told.late(timezone.now())}


def _filters(request: HttpRequest) -> tuple[Filters, str]:
    """What is looked for, and what of it could not be read."""

    def given(name: str) -> str:
        return request.GET.get(name, "").strip()[:160].replace("\0", "")

    texts = Filters(
        who=given("who"), post=given("post"), action=given("action"), subject=given("subject"), space=given("space")
    )
    try:
        since, until = (moment_given(request.GET.get(name, "")) for name in ("since", "until"))
    except NotATime as refused:
        return texts, sentence(refused)
    return replace(texts, since=since, until=until), ""


def _with_posts(rows: list[AuditRecord]) -> list[tuple[AuditRecord, Post | None]]:
    posts = Post.objects.in_bulk([one.post for one in rows if one.post])
    return [(one, posts.get(one.post or "")) for one in rows]


def _row(found: tuple[AuditRecord, Post | None]) -> dict[str, Any]:
    one, post = found
    return {
        "one": one,
        "who": process_word(one.actor),
        "post": (both(post, "title") if post else one.post) or "",
        "action": action_word(one.action),
        "short": in_short(one.before, one.after),
        "url": reverse("portal:audit_record", args=[one.chain, one.seq]),
    }


@require_GET
@never_cache
@opens("audit.search")
def record(request: HttpRequest, chain: str, seq: int) -> HttpResponse:
    """One record: what changed, and whether it is what was hashed and follows the one before it."""
    one = AuditRecord.objects.filter(chain=chain, seq=seq).first()
    if one is None:
        return not_found(request, _("审计记录"))
    links = searching.neighbours(chain, seq)
    before = links[0].hash if len(links) == 2 else ZERO if seq == 1 else None
    body = Organisation.objects.filter(id=one.organisation).first() if one.organisation else None
    context = {
        **_row(_with_posts([one])[0]),
        "body": both(body, "name") if body else one.organisation,
        "changes": changes(one.before, one.after),
        "chain_title": (both(body, "name") if body else "") or process_word(chain.removeprefix("org:")),
        "holds": links[-1].holds,
        "follows": None if before is None else links[-1].previous == before,
        "signed": seq <= searching.signed_seq(chain),
        "hash": links[-1].hash.hex(),
        "previous": links[-1].previous.hex(),
        "page": _page_of(one.subject),
        "older": seq - 1 if seq > 1 else None,
        "newer": seq + 1 if AuditRecord.objects.filter(chain=chain, seq=seq + 1).exists() else None,
    }
    return render(request, "portal/audit_record.html", context)


def _page_of(subject: str) -> str:
    """The page of what the record speaks of, if it has one that this post may open."""
    kind, _colon, id = subject.partition(":")
    try:
        url = reverse(f"portal:{PAGES[kind]}", args=[id]) if id else ""
    except (KeyError, NoReverseMatch):
        return ""
    return url if url and leads_somewhere(url) else ""


@require_POST
@never_cache
@opens("audit.export")
def export(request: HttpRequest) -> HttpResponseBase:
    """What the filters of the address find, as CSV, for a purpose that is recorded with it."""
    filters, problem = _filters(request)
    purpose = request.POST.get("purpose", "").strip()
    back = f"{reverse('portal:audit')}?{request.GET.urlencode()}"
    rows = [] if problem or not purpose else list(searching.every(filters, MOST_CSV + 1))
    if len(rows) > MOST_CSV:
        problem = _("超过 {most} 条，没有导出。请用时间或其他条件缩小范围。").format(most=MOST_CSV)
    if problem or not purpose:
        messages.error(request, problem or _("请写明导出用途。"))
        return redirect(back)
    header = [_("时间"), _("发生时间"), _("账号"), _("姓名"), _("岗位"), _("单位"), _("操作"), _("代码"), _("对象"),
              _("变更前"), _("变更后"), _("用途"), _("地址"), _("空间"), _("链"), _("序号"), _("散列")]  # fmt: skip
    posts, bodies = Post.objects.in_bulk(), Organisation.objects.in_bulk()
    make = partial(_line, posts=posts, bodies=bodies)
    return csv_download(
        request, "audit", header, map(make, rows), purpose=purpose, filters=filters.told(), needs="audit.export"
    )


def _line(one: AuditRecord, posts: dict[str, Post], bodies: dict[str, Organisation]) -> list[Any]:
    post, body = posts.get(one.post or ""), bodies.get(one.organisation or "")
    told = changes(one.before, one.after)
    return [
        moment_text(one.recorded_at), moment_text(one.at), one.account, process_word(one.actor),
        both(post, "title") if post else one.post, both(body, "name") if body else one.organisation,
        action_word(one.action), one.action, one.subject,
        "\n".join(f"{change.name}: {change.before}" for change in told if change.before is not None),
        "\n".join(f"{change.name}: {change.after}" for change in told if change.after is not None),
        one.purpose, one.address, one.space, one.chain, one.seq, bytes(one.hash).hex(),
    ]  # fmt: skip
