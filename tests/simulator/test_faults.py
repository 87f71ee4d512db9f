"""Three in a hundred devices are faulty in known ways: each shows in the figures of data quality, no other does."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from zhiwan.kernel.bus.messages import Message
from zhiwan.kernel.facts.observations import Quality
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.place import load_place
from zhiwan.kernel.sense.intake import DeviceInfo, Intake
from zhiwan.kernel.sense.memory import IntakeMemory
from zhiwan.run.simulator.faults import LAST_WORDS, SIGNS, by_kind, messages
from zhiwan.run.simulator.fleet import SimDevice, build_fleet, planted_faults
from zhiwan.run.simulator.models import World

ROOT = Path(__file__).resolve().parents[2]
BEGAN = datetime(2026, 7, 8, 6, 0, tzinfo=UTC)
WATCHED = timedelta(hours=3, minutes=40)  # longer than the slowest `frozen_after` a fault is planted on


def test_three_in_a_hundred_of_every_kind() -> None:
    packs, place = load_packs([ROOT / "packs"]), load_place(ROOT / "places/jinshan")
    fleet = build_fleet(packs, place)
    faults = planted_faults(packs, place)
    assert len(faults) == round(0.03 * len(fleet))
    assert set(by_kind(faults)) == set(SIGNS)
    assert {fault.device for fault in faults} == {device.id for device in fleet if device.fault}


@pytest.fixture(scope="module")
def figures() -> tuple[list[SimDevice], dict[str, Counter[str]], dict[str, int]]:
    """All faulty devices and sound ones of every type, played into the real intake, hour after hour."""
    packs, place = load_packs([ROOT / "packs"]), load_place(ROOT / "places/jinshan")
    fleet = build_fleet(packs, place)
    world = World(fleet, place, began=BEGAN)
    sound: dict[str, list[SimDevice]] = defaultdict(list)
    for device in fleet:
        if device.fault is None:
            sound[device.type].append(device)
    played = [device for device in fleet if device.fault] + [one for group in sound.values() for one in group[:5]]
    assert {device.type for device in played} == {device.type for device in fleet}
    intake = Intake(packs, {device.id: DeviceInfo(device.id, device.type) for device in fleet})
    memory = IntakeMemory()
    shown: dict[str, Counter[str]] = defaultdict(Counter)
    rows: dict[str, int] = Counter()
    sequence = 0
    for hour in range(4):
        batch = []
        for device in played:
            own = packs.type(device.type).properties[device.fault.property] if device.fault else None
            steps = int(WATCHED / device.every)
            per_hour = int(timedelta(hours=1) / device.every)
            for count in range(hour * per_hour, min((hour + 1) * per_hour, steps)):
                at = BEGAN + device.every * count + timedelta(seconds=device.number % 50)
                for body in messages(device, world.values(device, at), at, count, own):
                    batch.append((at, device.id, orjson.dumps(body)))
        stored = []
        for at, id, payload in sorted(batch):
            sequence += 1
            stored.append(Message("$MQTT_msgs", sequence, f"$MQTT.msgs.devices.{id}.telemetry", payload, at))
        taken = intake.take(stored, memory, stored[-1].received_at)
        for entity, quality in taken.observations.select("entity", "quality").iter_rows():
            rows[entity] += 1
            shown[entity].update(flag.name for flag in Quality if quality & flag and flag.name)
        for one in taken.set_aside:
            shown[one.device][one.code] += 1
        shown[""].update({code: count for code, count in taken.counts.items() if code == "DUPLICATE"})
    return played, shown, rows


def test_each_planted_fault_is_read_back(
    figures: tuple[list[SimDevice], dict[str, Counter[str]], dict[str, int]],
) -> None:
    played, shown, rows = figures
    for fault in (device.fault for device in played if device.fault):
        if fault.shows in ("flag", "set_aside"):
            assert shown[fault.device][fault.code] > 0, fault
        elif fault.shows == "absent":
            assert rows[fault.device] <= LAST_WORDS * 8, fault  # its last words, of at most eight properties
    assert shown[""]["DUPLICATE"] > 0


def test_no_sound_device_shows_anything(
    figures: tuple[list[SimDevice], dict[str, Counter[str]], dict[str, int]],
) -> None:
    played, shown, _ = figures
    assert {device.id: dict(shown[device.id]) for device in played if device.fault is None and shown[device.id]} == {}


def test_a_faulty_device_shows_only_its_own_fault(
    figures: tuple[list[SimDevice], dict[str, Counter[str]], dict[str, int]],
) -> None:
    played, shown, _ = figures
    strange = {
        device.fault: dict(shown[device.id])
        for device in played
        if device.fault and set(shown[device.id]) - {device.fault.code}
    }
    assert strange == {}
