"""The three in a hundred devices that are faulty, each in one known way, and how their messages look.

A test reads them back: each kind must show as `shows`/`code` in the figures of data quality for its device, and no
other device may show anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zhiwan.kernel.packs.models import PropertyDecl
from zhiwan.kernel.packs.packset import PackSet

if TYPE_CHECKING:
    from zhiwan.run.simulator.fleet import SimDevice

FaultKind = Literal[
    "out_of_range", "frozen", "gap", "silent", "clock_behind", "clock_ahead", "wrong_unit", "text", "duplicate",
    "extra_field", "unknown_property", "bad_time",
]  # fmt: skip
Shows = Literal["flag", "set_aside", "count", "absent"]

SHARE = 0.03
#: kind → (where it shows, the flag of Quality or the code of the refusal)
SIGNS: dict[FaultKind, tuple[Shows, str]] = {
    "out_of_range": ("flag", "RANGE"),
    "frozen": ("flag", "FROZEN"),
    "gap": ("flag", "GAP"),
    "silent": ("absent", "ABSENT"),
    "clock_behind": ("flag", "SKEW"),
    "clock_ahead": ("set_aside", "TOO_NEW"),
    "wrong_unit": ("set_aside", "WRONG_UNIT"),
    "text": ("set_aside", "NOT_A_NUMBER"),
    "duplicate": ("count", "DUPLICATE"),
    "extra_field": ("set_aside", "EXTRA_FIELD"),
    "unknown_property": ("set_aside", "UNKNOWN_PROPERTY"),
    "bad_time": ("set_aside", "BAD_TIME"),
}
BEHIND, AHEAD = timedelta(minutes=40), timedelta(minutes=20)
BURST = 8  # a device with gaps sends eight readings, then misses as many as four of its declared cadences hold
LAST_WORDS = 3  # a silent device sends so many readings first


@dataclass(frozen=True)
class PlantedFault:
    """One faulty device: what is wrong, with which property, and where it must show."""

    device: str
    property: str
    kind: FaultKind
    shows: Shows
    code: str


def plant(devices: Sequence[SimDevice], packs: PackSet, seed: int) -> list[PlantedFault]:
    """Choose devices by seed, kinds in turn; a kind goes only where it would show."""
    rng = np.random.default_rng([seed, 3, 100])
    wanted = round(SHARE * len(devices))
    order = [devices[int(number)] for number in rng.permutation(len(devices))]
    kinds: list[FaultKind] = list(SIGNS)
    found: list[PlantedFault] = []
    for device in order:
        if len(found) == wanted:
            break
        kind = kinds[len(found) % len(kinds)]
        name = _property_for(kind, device, packs)
        if name is not None:
            shows, code = SIGNS[kind]
            found.append(PlantedFault(device.id, name, kind, shows, code))
    return sorted(found, key=lambda fault: fault.device)


def _property_for(kind: FaultKind, device: SimDevice, packs: PackSet) -> str | None:
    """The property the fault falls on, or None where this type would not show it."""
    declared = packs.type(device.type).properties
    for name in device.signals:
        own = declared[name]
        if own.choices:
            continue
        if kind == "frozen" and (own.frozen_after is None or own.frozen_after > timedelta(hours=3)):
            continue
        if kind == "out_of_range" and own.range is None:
            continue
        if kind == "gap" and (own.cadence is None or own.cadence > timedelta(minutes=10)):
            continue
        return name
    return None


def messages(
    device: SimDevice, values: dict[str, float], at: datetime, count: int, own: PropertyDecl | None = None
) -> Iterator[dict[str, Any]]:
    """The telemetry messages of one report: one of a sound device; none, two or a spoilt one of a faulty one.

    (A frozen sensor is frozen in the world already: its message is in order.)
    `count` is how many reports the device has made before, `own` the declaration of the faulty property.
    """
    fault = device.fault
    if fault is None:
        yield _telemetry(values, at)
        return
    spoilt: dict[str, Any] = dict(values)
    match fault.kind:
        case "silent" if count >= LAST_WORDS:
            return
        case "gap" if count % (BURST + _pause(device, own)) >= BURST:
            return
        case "out_of_range":
            low, high = (own.range if own else None) or (0.0, 1.0)
            spoilt[fault.property] = round(high + (high - low) * (0.5 + count % 7 / 10), 2)
        case "clock_behind":
            at = at - BEHIND
        case "clock_ahead":
            at = at + AHEAD
        case "wrong_unit":
            spoilt[fault.property] = {"value": values[fault.property], "unit": "kg"}
        case "text":
            spoilt[fault.property] = "ERR"
        case "unknown_property":
            spoilt["firmware"] = 3.2
        case "extra_field":
            yield _telemetry(spoilt, at) | {"battery": 87}
            return
        case "bad_time":
            yield _telemetry(spoilt, at) | {"at": at.strftime("%d/%m/%Y %H:%M")}
            return
        case "duplicate":
            yield _telemetry(spoilt, at)
    yield _telemetry(spoilt, at)


def _telemetry(values: dict[str, Any], at: datetime) -> dict[str, Any]:
    return {"at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "values": values}


def _pause(device: SimDevice, own: PropertyDecl | None) -> int:
    cadence = (own.cadence if own else None) or device.every
    return int(4 * cadence / device.every)


def by_kind(faults: Iterable[PlantedFault]) -> dict[FaultKind, list[PlantedFault]]:
    """The planted faults grouped, for reports and tests."""
    groups: dict[FaultKind, list[PlantedFault]] = {}
    for fault in faults:
        groups.setdefault(fault.kind, []).append(fault)
    return groups
