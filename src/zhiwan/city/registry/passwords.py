"""Devices whose protocol brings its own password (the PW of HJ 212), instead of a secret that we gave.

set_password(device_id=, password=)      a device that is registered already; only the SHA-256 is kept
"""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.people.actions import digest
from zhiwan.city.registry.actions import DeviceRefused
from zhiwan.city.registry.models import Device

#: What fits into a field of the protocol: visible ASCII without its separators.
PASSWORD = re.compile(r"[\x21-\x25\x27-\x3a\x3c-\x7e]{6,64}")


@transaction.atomic
def set_password(*, device_id: str, password: str, at: datetime | None = None) -> None:
    """The password that the device is set to. It opens every door of this device, so it is its weakest one."""
    guard.require("registry.change")
    if not PASSWORD.fullmatch(password):
        raise DeviceRefused(id=device_id, problem="Its password has 6 to 64 visible characters, without & and ;.")
    now = timezone.now()
    fresh = {"secret_hash": digest(password), "secret_at": now, "cut_at": now, "old_hash": None, "old_until": None}
    if Device.objects.filter(id=device_id).update(**fresh) != 1:
        raise DeviceRefused(id=device_id, problem="It is not registered.")
    audit.record("registry.set_password", f"device:{device_id}", at=at or timezone.now())
