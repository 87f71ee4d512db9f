"""Import of history: choose a declared source, send a file, watch it being read, fetch what was refused."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import guard
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence, sentence_of
from zhiwan.city.portal.views.base import csv_download, not_found
from zhiwan.city.watch.import_runs import ImportRun, import_run, import_runs, refused_rows, start_import
from zhiwan.kernel.facts.errors import CityError, InputRefused


@never_cache
@opens("history.import")
def imports(request: HttpRequest) -> HttpResponse:
    """Sources that packs declare, the upload, and the latest runs."""
    if request.method == "POST":
        return _start(request)
    sources = [
        {"id": f"{pack.id}.{one.id}", "title": one.title, "pack": pack.manifest.title, "source": one,
         "type": packs().type(one.type).title, "columns": _columns(one)}
        for pack, one in packs().sources
    ]  # fmt: skip
    context = {"sources": sources, "runs": [_told(run) for run in import_runs()[:20]], "may": _may()}
    return render(request, "portal/imports.html", context)


def _columns(source: Any) -> list[str]:
    """The columns a file must have."""
    named = [source.entity_column] if source.entity_column else []
    return [*named, *source.time.columns, *(value.column for value in source.values.values())]


def _may() -> bool:
    try:
        guard.require("history.import")
    except InputRefused:
        return False
    return True


def _start(request: HttpRequest) -> HttpResponse:
    file = request.FILES.get("file")
    if file is None:
        messages.error(request, _("请先选择文件。"))
        return redirect("portal:imports")
    try:
        run = start_import(
            source_id=request.POST.get("source", ""),
            content=file.chunks(),
            name=file.name or "",
            create_entities=request.POST.get("create") == "yes",
        )
    except CityError as problem:
        messages.error(request, sentence(problem))
        return redirect("portal:imports")
    return redirect("portal:import_run", id=run)


@never_cache
@require_GET
@opens("history.import")
def run(request: HttpRequest, id: str) -> HttpResponseBase:
    """One run; the part with its state asks again by itself while it is under way."""
    found = import_run(id)
    if found is None:
        return not_found(request, _("导入"))
    if request.GET.get("format") == "csv":
        rows = list(refused_rows(id))
        return csv_download(request, f"refused-{id}", rows[0] if rows else [], rows[1:], needs="history.import")
    part = bool(request.headers.get("HX-Request"))
    name = "portal/parts/import_state.html" if part else "portal/import_run.html"
    return render(request, name, {"run": found, **_told(found)})


def _told(found: ImportRun) -> dict[str, Any]:
    declared = {f"{pack.id}.{source.id}": source.title for pack, source in packs().sources}
    state, tone = {
        "waiting": (_("排队"), "grey"),
        "running": (_("导入中"), "blue"),
        "done": (_("已导入"), "green"),
        "refused": (_("没有读取"), "red"),
        "failed": (_("中断"), "red"),
    }[found.state]
    if found.before:
        state = _("以前导入过，没有变化")
    elif found.state == "done" and (found.refused or found.unknown):
        state, tone = _("已导入，部分拒收"), "yellow"
    return {
        "run": found,
        "title": declared.get(found.source),
        "state": state,
        "tone": tone,
        "problem": sentence_of(found.problem, found.problem) if found.problem else "",
    }
