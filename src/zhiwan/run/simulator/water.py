"""Models of water: tide, rivers, polders, rain, ponding, drains, pumps, gates and the sea wall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zhiwan.run.simulator.fleet import SimDevice
from zhiwan.run.simulator.sky import DAY, HOUR, Array
from zhiwan.run.simulator.world import World, model

M2, S2, K1 = 12.4206 * HOUR, 12.0 * HOUR, 23.9345 * HOUR  # periods of the tide's main parts
Options = Mapping[str, Any]


def tide_at(t: Array, mean: float = 2.1, m2: float = 1.85, s2: float = 0.7) -> Array:
    """Semi-diurnal tide; M2 against S2 makes springs and neaps every 14.8 days."""
    found: Array = (
        mean
        + m2 * np.cos(2 * np.pi * t / M2)
        + s2 * np.cos(2 * np.pi * t / S2 - 0.6)
        + 0.18 * np.cos(2 * np.pi * t / K1 + 1.1)
    )
    return found


@model("tide")
def tide(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    delay = world.own(device, 1, 0, 600)  # along the coast the crest takes some minutes
    surge = 0.12 * world.mood("surge", t)
    found = tide_at(t - delay, options["mean"], options["m2"], options["s2"])
    return found + surge + 0.02 * world.noise(device, 1, t)


@model("wave")
def wave(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    wind = 0.5 + 0.4 * world.mood("wind", t)
    found: Array = np.maximum(0.05, 0.6 * wind + 0.1 * world.noise(device, 2, t))
    return found


@model("river")
def river(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """The tide comes up the river late and weak; rain runs off for hours."""
    far = world.inland(device)
    share = options["tide_share"] * np.exp(-far / 14)
    late = 0.5 * HOUR + far / 20 * HOUR
    runoff = options["runoff"] * world.rain(device, t).wet(t, 8 * HOUR)
    base = options["base"] + world.own(device, 2, -0.06, 0.06)
    found: Array = base + share * (tide_at(t - late) - 2.1) + runoff + 0.012 * world.noise(device, 3, t)
    return found


@model("current")
def current(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """Fastest when the tide turns most, seaward after rain."""
    far = world.inland(device)
    late = 0.5 * HOUR + far / 20 * HOUR
    slope = (tide_at(t - late + 300) - tide_at(t - late - 300)) * np.exp(-far / 14)
    found: Array = 0.15 + 0.5 * slope + 0.004 * world.rain(device, t).wet(t, 6 * HOUR)
    return found + 0.02 * world.noise(device, 4, t)


@model("polder")
def polder(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """Held below its control level; the river outside leans on it, rain fills it faster than pumps empty it."""
    outside = world.linked(device, "river")
    lean = 0.12 * (world.column(outside, "level", t - 2 * HOUR) - 2.6) if outside else 0.0
    control = float(device.fields.get("control_level") or 2.5)
    filled = 0.0045 * world.rain(device, t).wet(t, 3 * HOUR, spared=8)
    found: Array = control - 0.18 + lean + filled + 0.012 * world.noise(device, 5, t)
    return found


@model("rain")
def rain(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """Rain since the last report: with a fast clock, at the rate that falls, for the time that passes on the wall."""
    span = float(options["every"])
    found: Array = world.rain(device, t).amount(t - span * world.speed, t) / world.speed
    return found


@model("rain_hour")
def rain_hour(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    found: Array = world.rain(device, t).amount(t - HOUR * world.speed, t) / world.speed
    return found


@model("ponding")
def ponding(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """What a shower brings beyond the drains' capacity stands for most of an hour; low spots gather more."""
    return _standing(world, device, options, t, 45 * 60, lowest=3.0)


@model("underpass")
def underpass(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    pump = world.linked(device, "pump")
    slow = 50 * 60 if pump is not None else 120 * 60
    return _standing(world, device, options, t, slow, lowest=2.2)


def _standing(world: World, device: SimDevice, options: Options, t: Array, slow: float, lowest: float) -> Array:
    low = world.own(device, 21, 0, 1)  # few spots are low: the power bends the draw
    gain = options["gain"] * (0.5 + (lowest - 0.5) * low**6)
    depth = gain * world.rain(device, t).wet(t, slow, spared=options["capacity"])
    found: Array = np.maximum(0.0, depth + 0.3 * world.noise(device, 6, t))
    return found


@model("drain")
def drain(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    shaft = float(device.fields.get("shaft_depth") or 3.0)
    daily = 0.12 * np.sin(2 * np.pi * (world.hours(t) - 9) / 12)
    full = 0.02 * world.rain(device, t).wet(t, 40 * 60)
    found: Array = shaft * (0.15 + 0.75 * np.tanh(full)) + daily + 0.03 * world.noise(device, 7, t)
    return np.maximum(0.02, found)


def _inflow(world: World, device: SimDevice, t: Array) -> Array:
    """How high the sump would stand without pumps, above its start level."""
    daily = 0.22 * np.sin(2 * np.pi * (world.hours(t) - 8) / 12 + world.own(device, 8, 0, 6.28))
    found: Array = -0.14 + daily + 0.012 * world.rain(device, t).wet(t, 1.5 * HOUR) + 0.02 * world.noise(device, 8, t)
    return found


@model("sump")
def sump(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """Pumps start at the start level and hold the sump a hand above it, unless a storm overwhelms them."""
    above = _inflow(world, device, t)
    held = np.where(above > 0, 0.3 * np.tanh(above / 0.3) + np.maximum(0, above - 1.2), above)
    found: Array = float(device.fields.get("start_level") or 2.0) + held
    return found


@model("pump_state")
def pump_state(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    found: Array = (_inflow(world, device, t) > 0).astype(np.float64)
    return found


@model("pump_power")
def pump_power(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    above = _inflow(world, device, t)
    pumps = float(device.fields.get("pumps") or 2)
    found: Array = np.where(above > 0, 55 * np.ceil(pumps * np.clip(above / 0.8, 0.05, 1)), 0.4)
    return found + np.abs(0.5 * world.noise(device, 9, t))


@model("gate")
def gate(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """Open while the inside stands higher; shut against the river."""
    outside, inside = world.linked(device, "outside"), world.linked(device, "inside")
    if outside is None or inside is None:
        return np.zeros_like(t)
    lead = world.column(inside, "level", t) - world.column(outside, "level", t)
    found: Array = np.where(lead > 0.05, np.round(np.clip(lead * 200, 10, 60), -1), 0.0)
    if device.id == world.jammed:
        # Someone left it open; the crew shuts it within two hours.
        found = np.where(np.abs(t - world.began - 2400) < 4800, 30.0, found)
    return found


@model("displacement")
def displacement(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    settled = world.own(device, 10, 0, 12)
    found: Array = settled + 0.9 * (tide_at(t) - 2.1) + 0.3 * world.noise(device, 10, t)
    return found


@model("seepage")
def seepage(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    base = world.own(device, 11, 40, 90)
    found: Array = (
        base + 5 * (tide_at(t - HOUR) - 2.1) + 2 * np.sin(2 * np.pi * t / (9 * DAY)) + 0.4 * world.noise(device, 11, t)
    )
    return found
