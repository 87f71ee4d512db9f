"""What is done with one device's credential. What it changes reaches the doors by itself: the database tells them.

rotate(device_id, at_once=False) -> secret      shown once; the old one lives on for some hours, or ends at once
revoke(device_id, reason)                       from now on it is refused, and its live connection is cut
restore(device_id)                              it may come in again, with the secret it had
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from zhiwan.city.people import audit, guard
from zhiwan.city.people.actions import digest
from zhiwan.city.people.ways_in import limits
from zhiwan.city.registry.actions import DeviceRefused
from zhiwan.city.registry.models import Device

REASON = 120


@transaction.atomic
def rotate(*, device_id: str, at_once: bool = False, at: datetime | None = None) -> str:
    """A new secret. `at_once`: the old one is compromised, so it ends now, and the connection that it opened too.

    Of several rotations in a row only the last secret before lives on: who rotates twice has lost the first.
    """
    device = _device(device_id, "device.rotate")
    now, secret = at or timezone.now(), secrets.token_urlsafe(16)
    until = None if at_once else now + timedelta(hours=limits.at(now).device_overlap_hours)
    device.old_hash, device.old_until = (None, None) if at_once else (bytes(device.secret_hash), until)
    device.secret_hash, device.secret_at = digest(secret), now
    if at_once:
        device.cut_at = now
    device.save(update_fields=["secret_hash", "secret_at", "old_hash", "old_until", "cut_at"])
    after = {"at_once": at_once, **({"old_until": until.isoformat()} if until else {})}
    audit.record("device.rotate", f"device:{device_id}", at=now, after=after)
    return secret


@transaction.atomic
def revoke(*, device_id: str, reason: str, at: datetime | None = None) -> None:
    """It goes silent. Readings that were acknowledged before are kept."""
    device = _device(device_id, "device.revoke")
    now, why = at or timezone.now(), reason.strip()
    if not 2 <= len(why) <= REASON:
        raise DeviceRefused(id=device_id, problem=f"A reason of 2 to {REASON} letters is needed.")
    if device.revoked_at is not None:
        raise DeviceRefused(id=device_id, problem="It is revoked already.")
    device.enabled, device.revoked_at, device.revoked_why = False, now, why
    device.save(update_fields=["enabled", "revoked_at", "revoked_why"])
    audit.record("device.revoke", f"device:{device_id}", at=now, after={"reason": why})


@transaction.atomic
def restore(*, device_id: str, at: datetime | None = None) -> None:
    """It may come in again."""
    device = _device(device_id, "device.restore")
    if device.revoked_at is None:
        raise DeviceRefused(id=device_id, problem="It is not revoked.")
    before = {"revoked_at": device.revoked_at.isoformat(), "reason": device.revoked_why}
    device.enabled, device.revoked_at, device.revoked_why = True, None, ""
    device.save(update_fields=["enabled", "revoked_at", "revoked_why"])
    audit.record("device.restore", f"device:{device_id}", at=at or timezone.now(), before=before)


def _device(id: str, action: str) -> Device:
    """The device, locked, if who acts may do this with the thing it reports for."""
    found = Device.objects.select_for_update(of=("self",)).select_related("entity").filter(id=id).first()
    guard.require(action, on=found.entity if found is not None else None)
    if found is None:
        raise DeviceRefused(id=id, problem="It is not registered.")
    return found
