"""`zhiwan hj212-device`: an instrument that is set to its MN and PW already becomes a device of the registry."""

from __future__ import annotations

from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry.actions import create_devices
from zhiwan.city.registry.models import Device
from zhiwan.city.registry.passwords import set_password


def register(mn: str, entity: str, password: str) -> None:
    """Register the device, or give the registered one this password."""
    with acting_system("cli"):
        if not Device.objects.filter(id=mn, entity_id=entity).exists():
            create_devices(pairs=[(mn, entity)])
        set_password(device_id=mn, password=password)
