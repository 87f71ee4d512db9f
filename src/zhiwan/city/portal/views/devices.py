"""What is done with a device from the page of its thing: another secret, revoke, restore, a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from zhiwan.city.people.ways_in import limits
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import act, not_found
from zhiwan.city.registry import commands, devices
from zhiwan.city.registry.device_cards import entity_of
from zhiwan.kernel.facts.errors import CityError


@never_cache
@require_POST
@opens("device.rotate")
def rotate(request: HttpRequest, id: str) -> HttpResponseBase:
    """A new secret, on this answer only."""
    entity, at_once = entity_of(id), request.POST.get("at_once") == "1"
    if entity is None:
        return not_found(request, _("设备"))
    try:
        secret = devices.rotate(device_id=id, at_once=at_once)
    except CityError as problem:
        messages.error(request, sentence(problem))
        return redirect("portal:entity", entity)
    hours = limits.at(timezone.now()).device_overlap_hours
    shown = {"entity": entity, "device": id, "secret": secret, "at_once": at_once, "hours": hours}
    return render(request, "portal/device_secret.html", shown)


@require_POST
@opens("device.revoke")
def revoke(request: HttpRequest, id: str) -> HttpResponseBase:
    """It goes silent, for a reason."""
    reason = request.POST.get("reason", "")
    return _done(request, id, lambda: devices.revoke(device_id=id, reason=reason), _("已吊销，连接正在切断。"))


@require_POST
@opens("device.restore")
def restore(request: HttpRequest, id: str) -> HttpResponseBase:
    """It may come in again."""
    return _done(request, id, lambda: devices.restore(device_id=id), _("已恢复，设备可以重新登录。"))


@require_POST
@opens("device.command")
def command(request: HttpRequest, id: str) -> HttpResponseBase:
    """Ask it to do something that its type declares."""
    wanted, argument = request.POST.get("command", ""), request.POST.get("argument", "")
    return _done(
        request,
        id,
        lambda: commands.command(device_id=id, command=wanted, argument=argument),
        _("指令已下达，设备在线时送达。"),
    )


def _done(request: HttpRequest, id: str, action: Callable[[], Any], done: str) -> HttpResponseBase:
    entity = entity_of(id)
    if entity is None:
        return not_found(request, _("设备"))
    return act(request, action, done, f"{reverse('portal:entity', args=[entity])}#device-{id}")
