"""A device's credential on the page of its thing: a new secret, revoked, let in again."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

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
from zhiwan.city.registry import actions, queries
from zhiwan.kernel.facts.errors import CityError

_STEPS = {"rotate": "registry.change", "revoke": "registry.change", "restore": "registry.change"}


@require_POST
@never_cache
@opens(_STEPS, by="step")
def move(request: HttpRequest, id: str, step: str) -> HttpResponseBase:
    """One step with a device that the post sees. A new secret is shown on this answer, once."""
    device = queries.device(id)
    if device is None or step not in _STEPS:
        return not_found(request, _("设备"))
    back = reverse("portal:entity", args=[device.entity])
    if step == "rotate":
        return _rotate(request, device, back)
    done = _("已吊销：数秒内断开，不能再接入。") if step == "revoke" else _("已恢复：可以重新接入。")
    change = partial(actions.set_device_enabled, device_id=device.id, enabled=step == "restore")
    return act(request, change, done, back)


def _rotate(request: HttpRequest, device: queries.DeviceRow, back: str) -> HttpResponseBase:
    """`at_once`: the old secret was lost; else the device has some hours to change over."""
    hours = 0 if request.POST.get("at_once") else limits.at(timezone.now()).key_overlap_hours
    try:
        secret = actions.renew_secret(device_id=device.id, overlap=timedelta(hours=hours))
    except CityError as problem:
        messages.error(request, sentence(problem))
        return redirect(back)
    shown = {"device": device, "secret": secret, "hours": hours, "back": back}
    return render(request, "portal/device_secret.html", shown)
