"""The register of purposes: what personal data is used for, by whom, on which basis and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from zhiwan.city.keeping import queries as keeping
from zhiwan.city.packs_loaded import packs
from zhiwan.city.people.purposes import purpose_book
from zhiwan.city.people.roles import role_book
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.templatetags.portal import said
from zhiwan.city.portal.views.base import csv_download, whole
from zhiwan.kernel.guard.purposes import PERSONAL, Purpose, State
from zhiwan.kernel.packs.models import EntityType, Text
from zhiwan.kernel.packs.packset import PackSet


@dataclass(frozen=True)
class Line:
    """One purpose as the page shows it."""

    purpose: Purpose
    fields: list[Text]
    roles: list[Text]
    state: State


@require_GET
@opens("purpose.read")
def listing(request: HttpRequest) -> HttpResponseBase:
    """All purposes, and the personal fields that none of them covers: those nobody reads whole."""
    book, now, names = purpose_book(), timezone.now(), personal_fields(packs())
    lines = []
    for one in book.values():
        roles = [role_book().roles[id].title for id in one.roles]
        fields = [names.get(field, _unnamed(field)) for field in one.fields]
        lines.append(Line(one, fields, roles, book.state(one, now)))
    if request.GET.get("format") == "csv":
        return _csv(request, lines)
    covered = {field for line in lines if line.state == "in_force" for field in line.purpose.fields}
    uncovered = [title for name, title in names.items() if name not in covered]
    receipts = keeping.erasures(page=whole(request, "page", 1))
    context = {
        "lines": lines,
        "uncovered": uncovered,
        "waiting": [(names.get(one.field, _unnamed(one.field)), one) for one in keeping.waiting()],
        "page": receipts,
        "receipts": [(names.get(one.receipt.field, _unnamed(one.receipt.field)), one) for one in receipts.rows],
    }
    return render(request, "portal/purposes.html", context)


def _parts(kind: EntityType) -> dict[str, tuple[Text, int]]:
    """Its fields and what it reports, each with its grade."""
    said_of = {id: (one.title, one.grade) for id, one in kind.fields.items()}
    return said_of | {id: (one.title, one.grade) for id, one in kind.properties.items()}


def _unnamed(field: str) -> Text:
    """A field that no pack declares any longer."""
    return Text(zh=field, en=field)


def personal_fields(loaded: PackSet) -> dict[str, Text]:
    """Type.field of every personal field of these packs → its words."""
    return {
        f"{kind.id}.{id}": Text(zh=f"{kind.title.zh} · {title.zh}", en=f"{kind.title.en} · {title.en}")
        for kind in loaded.types.values()
        for id, (title, grade) in _parts(kind).items()
        if grade >= PERSONAL
    }


def _csv(request: HttpRequest, lines: list[Line]) -> HttpResponseBase:
    header = [_("编号"), _("使用目的"), _("法律依据"), _("待核实"), _("字段"), _("岗位角色"), _("保存天数")]
    header += [_("起"), _("止"), _("状态")]
    words = {"in_force": _("有效"), "to_come": _("未生效"), "ended": _("已结束")}
    rows: list[list[Any]] = [
        [
            line.purpose.id, said(line.purpose.title), said(line.purpose.basis), line.purpose.verify,
            "; ".join(line.purpose.fields), "; ".join(line.purpose.roles), line.purpose.keep_days,
            line.purpose.since, line.purpose.until or "", words[line.state],
        ]
        for line in lines
    ]  # fmt: skip
    return csv_download(request, "purposes", header, rows)
