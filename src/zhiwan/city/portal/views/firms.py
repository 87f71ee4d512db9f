"""Firms at the counter: who is registered, and a new one with its first administrator (licence and person seen)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from zhiwan.city.people.ways_in import firms, phones
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import whole
from zhiwan.city.portal.views.grants import days_shown, read_day
from zhiwan.kernel.facts.errors import CityError


@never_cache
@require_http_methods(["GET", "POST"])
@opens("firm.register")
def listing(request: HttpRequest) -> HttpResponse:
    """Registered firms, found by name or code; POST registers one."""
    now, form = timezone.now(), request.POST
    problem: CityError | None = None
    if request.method == "POST":
        try:
            made = firms.register(
                code=form.get("code", ""),
                name=form.get("name", ""),
                person=form.get("person", ""),
                number=phones.read(form.get("phone", "")),
                valid_to=read_day(form.get("valid_to", "")),
                at=now,
            )
            messages.success(request, _("已登记 {name}。").format(name=made.name))
            return redirect("portal:firms")
        except CityError as refused:
            problem = refused
    text = request.GET.get("q", "").strip()[:40]
    shown = {
        "page": firms.listed(text=text, at=now, page=whole(request, "page", 1)),
        "text": text,
        "form": form,
        "problem": sentence(problem) if problem else "",
        "part": "firms",
        **days_shown(now),
    }
    return render(request, "portal/firms.html", shown, status=422 if problem else 200)
