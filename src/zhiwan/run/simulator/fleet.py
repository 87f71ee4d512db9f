"""The simulated district's devices: how many of which type stand where, under which name, and which are faulty.

A pack's demo.yml says what to place; the place says where villages, towns, rivers and the coast are. The same packs,
place and seed give the same fleet. Nothing here knows a type by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np

from zhiwan.kernel.packs.models import DemoDevice, EntityType
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import PlaceDecl
from zhiwan.kernel.packs.signals import Between, Choose, DrawnField
from zhiwan.run.simulator.faults import PlantedFault, plant
from zhiwan.run.simulator.sites import Ground, Site

SEED = 7


@dataclass(frozen=True)
class SimDevice:
    """One simulated device and the one entity it reports for (both have the same id)."""

    id: str
    type: str
    name: str
    name_en: str
    area: str
    town: str
    lon: float
    lat: float
    every: timedelta
    signals: Mapping[str, Mapping[str, Any]]
    fields: Mapping[str, float | str | bool | None]
    decimals: Mapping[str, int]
    number: int  # position in the fleet: the seed of everything that is its own
    links: Mapping[str, str] = field(default_factory=dict)
    fault: PlantedFault | None = None
    obeys: bool = False  # its type declares commands: it takes them and says that it did


def build_fleet(packs: PackSet, place: PlaceDecl, seed: int = SEED) -> list[SimDevice]:
    """All devices of the demonstration, ordered by pack, type and number."""
    ground = Ground(place)
    devices: list[SimDevice] = []
    for pack in packs.packs:
        for wanted in pack.demo.devices:
            kind = packs.type(wanted.type)
            rng = np.random.default_rng([seed, *wanted.id_prefix.encode()])
            sites = ground.sites(wanted.near, wanted.count, rng)
            for number, site in enumerate(sites, start=1):
                devices.append(_device(wanted, kind, site, number, len(devices), rng))
    devices = _linked(devices, packs)
    faults = {fault.device: fault for fault in plant(devices, packs, seed)}
    return [replace(device, fault=faults.get(device.id)) for device in devices]


def hand_devices(packs: PackSet, fleet: Sequence[SimDevice]) -> list[SimDevice]:
    """Devices that no simulator drives, by id: a sound neighbour of the first of each entry that asks for one."""
    found: list[SimDevice] = []
    for pack in packs.packs:
        for wanted in pack.demo.devices:
            first = next((device for device in fleet if device.id == f"{wanted.id_prefix}-0001"), None)
            if wanted.by_hand is None or first is None:
                continue
            title = packs.type(wanted.type).title
            found.append(
                replace(
                    first,
                    id=wanted.by_hand,
                    name=f"手动测试点·{title.zh}（无模拟器）",
                    name_en=f"{title.en}, published by hand (no simulator)",
                    lon=round(first.lon + 0.004, 5),
                    lat=round(first.lat + 0.003, 5),
                    number=len(fleet) + len(found),
                    fault=None,
                )
            )
    return sorted(found, key=lambda device: device.id)


def planted_faults(packs: PackSet, place: PlaceDecl, seed: int = SEED) -> list[PlantedFault]:
    """What is wrong with which device, and where it must show in the figures of data quality."""
    return [device.fault for device in build_fleet(packs, place, seed) if device.fault is not None]


def _device(
    wanted: DemoDevice, kind: EntityType, site: Site, number: int, position: int, rng: np.random.Generator
) -> SimDevice:
    zh = wanted.name.zh.replace("{place}", site.name).replace("{n}", str(number))
    en = wanted.name.en.replace("{place}", site.name_en).replace("{n}", str(number))
    return SimDevice(
        id=f"{wanted.id_prefix}-{number:04d}",
        type=wanted.type,
        name=zh,
        name_en=en,
        area=site.area,
        town=site.area[:9],
        lon=site.lon,
        lat=site.lat,
        every=wanted.every,
        signals={name: signal.model_dump() for name, signal in wanted.signals.items()},
        fields={name: _drawn(given, site, number, rng) for name, given in wanted.fields.items()},
        decimals={name: kind.properties[name].decimals for name in wanted.signals},
        number=position,
        obeys=bool(kind.commands),
    )


def _drawn(given: DrawnField, site: Site, number: int, rng: np.random.Generator) -> float | str | bool | None:
    """A field as demo.yml gives it: {between: [a, b]}, {choose: [...]}, text with {place} and {n}, or a plain value."""
    if isinstance(given, Between):
        lowest, highest = given.between
        return round(float(rng.uniform(lowest, highest)), 2)
    if isinstance(given, Choose):
        return given.choose[int(rng.integers(0, len(given.choose)))]
    if isinstance(given, str):
        return given.replace("{place}", site.name).replace("{n}", str(number))
    return given


def _linked(devices: list[SimDevice], packs: PackSet) -> list[SimDevice]:
    """Each link of a type leads to the nearest device of the type it names."""
    by_type: dict[str, list[SimDevice]] = {}
    for device in devices:
        by_type.setdefault(device.type, []).append(device)
    places = {name: np.array([(one.lon, one.lat) for one in group]) for name, group in by_type.items()}
    found = []
    for device in devices:
        links = {}
        for name, link in packs.type(device.type).links.items():
            if link.to in by_type:
                # Nearest on the ground: a degree of longitude is shorter than one of latitude.
                across = float(np.cos(np.radians(device.lat)))
                away = (places[link.to] - (device.lon, device.lat)) * (across, 1.0)
                links[name] = by_type[link.to][int(np.argmin((away**2).sum(axis=1)))].id
        found.append(replace(device, links=links))
    return found
