"""Rotating, revoking, commanding a device: what is kept, recorded and refused. At the door: tests/faults."""

from __future__ import annotations

from typing import Any

import pytest

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.actions import digest
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord, Organisation, Post
from zhiwan.city.registry import actions, commands, devices
from zhiwan.city.registry.device_cards import device_cards
from zhiwan.city.registry.models import Area, Device, DeviceCommand
from zhiwan.city.watch.tests import surge
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.run.worker.store import read_registry

pytestmark = pytest.mark.django_db
KIND = {
    "id": "Pump",
    "title": {"zh": "泵", "en": "Pump"},
    "commands": {
        "stop": {"title": {"zh": "停泵", "en": "Stop"}, "within": "5min"},
        "speed": {
            "title": {"zh": "调速", "en": "Set the speed"},
            "argument": {"title": {"zh": "转速", "en": "Speed"}, "unit": "%", "range": [0, 100]},
        },
        "mode": {
            "title": {"zh": "模式", "en": "Mode"},
            "argument": {
                "title": {"zh": "模式", "en": "Mode"},
                "choices": [{"id": "hand", "title": {"zh": "手动", "en": "By hand"}}],
            },
        },
    },
}


@pytest.fixture
def pump(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pump with a device, and the posts of a chief and of a leader."""
    from zhiwan.kernel.packs.models import Pack

    words = {"zh": "x", "en": "x"}
    manifest = {
        "id": "life.pumps", "version": "1.0.0", "title": words, "summary": words, "owner": words, "mission": [],
        "abilities": [],
    }  # fmt: skip
    pack = Pack.model_validate({"manifest": manifest, "types": [KIND]})
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([pack]))
    packs_loaded.forget()
    with acting_system("cli"):
        Area.objects.create(code=surge.EAST, level="town", name="东")
        office = Organisation.objects.create(id="o", name_zh="o", name_en="o", area="990101", kind="district_office")
        posts = {
            role: Post.objects.create(
                id=role, role=role, title_zh=role, title_en=role, organisation=office, scope="district"
            )
            for role in ("duty_chief", "leader")
        }
        actions.save_entities(drafts=[actions.EntityDraft("p-1", "Pump", "泵一", surge.EAST)])
        actions.create_devices(pairs=[("p-1", "p-1")])
    yield posts
    packs_loaded.forget()


def test_a_rotation_keeps_the_old_secret_for_a_while_and_a_compromised_one_not(pump: Any) -> None:
    with acting(pump["duty_chief"]):
        before = bytes(Device.objects.get().secret_hash)
        fresh = devices.rotate(device_id="p-1")
        row = Device.objects.get()
        assert (bytes(row.secret_hash), bytes(row.old_hash or b""), row.cut_at) == (digest(fresh), before, None)
        assert device_cards("p-1")[0].old_until == row.old_until
        devices.rotate(device_id="p-1", at_once=True)
        row = Device.objects.get()
        assert (row.old_hash, row.old_until) == (None, None)
        assert row.cut_at is not None
    with acting_system("cli"):
        told = AuditRecord.objects.filter(action="device.rotate").order_by("seq").values_list("after", flat=True)
        assert [(one or {})["at_once"] for one in told] == [False, True]


def test_a_revoked_device_keeps_its_place_in_the_worker_and_comes_back(pump: Any) -> None:
    with acting(pump["duty_chief"]):
        with pytest.raises(actions.DeviceRefused, match="reason"):
            devices.revoke(device_id="p-1", reason=" ")
        devices.revoke(device_id="p-1", reason="stolen")
        with pytest.raises(actions.DeviceRefused, match="already"):
            devices.revoke(device_id="p-1", reason="stolen")
        with pytest.raises(commands.CommandRefused, match="revoked"):
            commands.command(device_id="p-1", command="stop")
    assert read_registry().devices == [("p-1", "p-1")]  # what it sent before is still read
    with acting(pump["duty_chief"]):
        devices.restore(device_id="p-1")
        assert Device.objects.get().enabled
    with acting_system("cli"):
        actions.set_device_enabled(device_id="p-1", enabled=False)
    assert read_registry().devices == []  # switched off, as a story's devices are: nothing of it is read


def test_a_command_is_one_that_the_type_declares_within_its_limits(pump: Any) -> None:
    with acting(pump["duty_chief"]):
        for name, argument, problem in (
            ("explode", "", "declares no command"),
            ("speed", "", "from 0 to 100"),
            ("speed", "nan", "from 0 to 100"),
            ("speed", "101", "from 0 to 100"),
            ("mode", "wild", "one of the list"),
        ):
            with pytest.raises(commands.CommandRefused, match=problem):
                commands.command(device_id="p-1", command=name, argument=argument)
        assert not DeviceCommand.objects.exists()
        for name, argument, kept in (("stop", "5", None), ("speed", "40", 40.0), ("mode", "hand", "hand")):
            made = commands.command(device_id="p-1", command=name, argument=argument)
            assert (made.argument, made.asked_by, made.town) == (kept, "duty_chief", surge.EAST)
        assert made.expires_at - made.asked_at == commands.declared("Pump")["mode"].within
        shown = device_cards("p-1")[0].commands
        assert [(one.title.en, one.argument.en if one.argument else "") for one in shown] == [
            ("Mode", "By hand"),
            ("Set the speed", "40 %"),
            ("Stop", ""),
        ]


def test_who_does_not_keep_devices_does_nothing_to_them(pump: Any) -> None:
    with acting(pump["leader"]):
        for attempt in (
            lambda: devices.rotate(device_id="p-1"),
            lambda: devices.revoke(device_id="p-1", reason="stolen"),
            lambda: devices.restore(device_id="p-1"),
            lambda: commands.command(device_id="p-1", command="stop"),
        ):
            with pytest.raises(ActionForbidden):
                attempt()
