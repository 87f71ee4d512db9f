"""A thing goes out of use and comes back: what is kept, recorded and refused. What becomes due then: test_nightly."""

from __future__ import annotations

from typing import Any

import pytest

from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord
from zhiwan.city.registry import queries, retiring
from zhiwan.city.registry.actions import EntityRefused
from zhiwan.city.registry.models import Device, Entity
from zhiwan.city.registry.tests.test_devices import pump as pump
from zhiwan.run.worker.store import read_registry

pytestmark = pytest.mark.django_db


def test_it_leaves_the_lists_and_the_judge_and_its_devices_go_silent(pump: Any) -> None:
    with acting(pump["duty_chief"]):
        retiring.retire(entity_id="p-1", reason=" taken down ")
        thing, device = Entity.objects.get(), Device.objects.get()
        assert (thing.active, thing.inactive_since is not None) == (False, True)
        assert (device.enabled, device.revoked_why) == (False, "taken down")
        assert [row.id for row in queries.entities().rows] == []
        assert [row.id for row in queries.entities(active=False).rows] == ["p-1"]
        detail = queries.entity_detail("p-1")
        assert detail is not None, "who has its address still finds it"
        assert not detail.row.active
    with acting_system("cli"):
        record = AuditRecord.objects.filter(action="entity.retire")
        assert [one.after for one in record] == [{"reason": "taken down", "devices": ["p-1"]}]
    assert "p-1" not in {one["id"] for one in read_registry().entities}


def test_it_comes_back_and_its_devices_are_restored_by_hand(pump: Any) -> None:
    with acting(pump["duty_chief"]):
        retiring.retire(entity_id="p-1", reason="taken down")
        retiring.bring_back(entity_id="p-1")
        thing = Entity.objects.get()
        assert (thing.active, thing.inactive_since) == (True, None)
        assert not Device.objects.get().enabled, "a device that was taken away does not come back by itself"
        with pytest.raises(EntityRefused, match="in use"):
            retiring.bring_back(entity_id="p-1")


@pytest.mark.parametrize("reason", ["", " x ", "x" * 121])
def test_without_a_reason_twice_unknown_or_by_another_role_it_stays(pump: Any, reason: str) -> None:
    with acting(pump["duty_chief"]):
        with pytest.raises(EntityRefused, match="reason"):
            retiring.retire(entity_id="p-1", reason=reason)
        with pytest.raises(EntityRefused, match="not registered"):
            retiring.retire(entity_id="nobody", reason="taken down")
        assert Entity.objects.get().active
        retiring.retire(entity_id="p-1", reason="taken down")
        with pytest.raises(EntityRefused, match="out of use already"):
            retiring.retire(entity_id="p-1", reason="taken down")
    with acting(pump["leader"]), pytest.raises(ActionForbidden):
        retiring.bring_back(entity_id="p-1")
