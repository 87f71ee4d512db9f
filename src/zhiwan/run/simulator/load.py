"""Registers the demonstration: entities, links, devices with secrets, two days of history. Again after a change only.

A few more devices are registered that no simulator drives (`by_hand` of demo.yml): their secrets stand in demo.json, so
that a newcomer, the author of a pack or a test can publish with a stock MQTT client and see the value arrive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from zhiwan.city.files import private_file
from zhiwan.city.packs_loaded import lake
from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry.actions import (
    EntityDraft,
    create_devices,
    renew_secret,
    save_entities,
    save_relations,
    set_device_enabled,
)
from zhiwan.city.registry.models import Device
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import PlaceDecl
from zhiwan.run.simulator.fleet import SEED, SimDevice, build_fleet, hand_devices
from zhiwan.run.simulator.history import history
from zhiwan.run.simulator.models import World
from zhiwan.run.simulator.secrets import NoDeviceSecrets, read_secrets, write_secrets

HISTORY = "demo-history"


def load_district(packs: PackSet, place: PlaceDecl, data: Path, seed: int = SEED) -> dict[str, str]:
    """Everything the simulator needs; gives the secrets, by id, of the devices that nobody drives."""
    fleet = build_fleet(packs, place, seed)
    if not fleet:
        return {}
    hands = hand_devices(packs, fleet)
    stamp = data / "secrets" / "fleet.stamp"
    content = hashlib.sha256("\n".join(map(repr, [*fleet, *hands])).encode()).hexdigest()
    given = _known_secrets(data)
    known = all(device.id in given for device in hands)
    if not stamp.exists() or stamp.read_text(encoding="ascii") != content or not known:
        given = _register([*fleet, *hands], given)
        write_secrets(data, given)
        private_file(stamp, content)
    _fill_history(packs, place, fleet, seed)
    return {device.id: given[device.id] for device in hands}


def _known_secrets(data: Path) -> dict[str, str]:
    try:
        return read_secrets(data)
    except NoDeviceSecrets:
        return {}


def _register(devices: Sequence[SimDevice], known: dict[str, str]) -> dict[str, str]:
    """Entities, links and devices as the fleet has them; secrets by device id, old ones kept."""
    with acting_system("cli"):
        save_entities(drafts=[_draft(device) for device in devices])
        save_relations(
            relations=[(device.id, link, other) for device in devices for link, other in device.links.items()]
        )
        wanted = {device.id for device in devices}
        there = set(Device.objects.filter(simulated=True).values_list("id", flat=True))
        given = {id: secret for id, secret in known.items() if id in wanted and id in there}
        for id in sorted(wanted & there - given.keys()):  # the file is gone: the old secret is known to nobody
            given[id] = renew_secret(device_id=id)
        for id in sorted(there & known.keys() - wanted):  # a pack declares fewer devices than before
            set_device_enabled(device_id=id, enabled=False)
        new = sorted(wanted - there)
        if new:
            given |= create_devices(pairs=[(id, id) for id in new], simulated=True)
    return given


def _draft(device: SimDevice) -> EntityDraft:
    return EntityDraft(
        id=device.id,
        type=device.type,
        name=device.name,
        name_en=device.name_en,
        area=device.area,
        lon=device.lon,
        lat=device.lat,
        fields=dict(device.fields),
        simulated=True,
    )


def _fill_history(packs: PackSet, place: PlaceDecl, fleet: Sequence[SimDevice], seed: int) -> None:
    """Two days into the lake, once: a lake that has it is left alone."""
    kept = lake()
    if kept.committed(HISTORY) >= 0:
        return
    now = datetime.now(UTC)
    world = World(fleet, place, seed, began=now)
    frames = list(history(packs, fleet, world, now=now, region=place.code))
    for version, frame in enumerate(frames):
        kept.import_history(frame, HISTORY, version)
    kept.roll_up()
