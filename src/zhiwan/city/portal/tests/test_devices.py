"""A device's credential on the page of its thing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import AuditRecord
from zhiwan.city.registry.actions import create_devices
from zhiwan.city.registry.models import Device

Enter = Callable[..., Client]


@pytest.fixture
def chief(enter: Enter) -> Client:
    with acting_system("cli"):
        create_devices(pairs=[("box-e", "gauge-e")])
    return enter("chief")


def step(client: Client, name: str, **form: str) -> str:
    answer = client.post(reverse("portal:device_move", args=["box-e", name]), form, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def device() -> Device:
    with acting_system("cli"):
        return Device.objects.get(id="box-e")


@pytest.mark.mission("E1")
def test_a_new_secret_is_shown_once_and_the_old_one_has_its_hours(chief: Client) -> None:
    old = bytes(device().secret_hash)
    secret = re.findall(r'<pre class="raw mb-2" tabindex="0">([\w-]{22})</pre>', step(chief, "rotate"))[0]
    kept = device()
    assert bytes(kept.secret_hash) == hashlib.sha256(secret.encode()).digest()
    assert bytes(kept.previous_hash or b"") == old
    assert kept.previous_until is not None
    assert kept.previous_until > timezone.now() + timedelta(hours=1)
    page = chief.get("/entities/gauge-e").content.decode()
    assert "旧密钥有效至" in page
    assert secret not in page
    step(chief, "rotate", at_once="1")
    kept = device()
    assert (kept.previous_hash, kept.previous_until) == (None, None)
    assert kept.changed_at is not None, "the door cuts off what is connected with the lost one"


def test_a_device_is_revoked_and_restored_and_the_audit_knows(chief: Client, enter: Enter) -> None:
    assert "已吊销：数秒内断开" in step(chief, "revoke")
    assert (device().enabled, device().changed_at is not None) == (False, True)
    assert "恢复接入" in chief.get("/entities/gauge-e").content.decode()
    assert "已恢复" in step(chief, "restore")
    with acting_system("cli"):
        told = AuditRecord.objects.filter(subject="device:box-e").order_by("recorded_at", "seq")
        assert [one.after for one in told][-2:] == [{"enabled": False}, {"enabled": True}]
    desk = enter("desk")
    assert "接入凭据" not in desk.get("/entities/gauge-e").content.decode()
    assert desk.post(reverse("portal:device_move", args=["box-e", "revoke"])).status_code == 403
    assert chief.post(reverse("portal:device_move", args=["nobody", "revoke"])).status_code == 404
