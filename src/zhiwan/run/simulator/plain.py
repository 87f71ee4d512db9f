"""Models for every pack: what stands still, follows the day, switches or grows. Options: kernel.packs.signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zhiwan.run.simulator.fleet import SimDevice
from zhiwan.run.simulator.sky import DAY, Array, sun
from zhiwan.run.simulator.world import World, model

Options = Mapping[str, Any]
SALT = 61  # own constants and noise of these models; the signals of one device tremble together


@model("constant")
def constant(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    found: Array = float(options["value"]) + _own(world, device, options, t)
    return found


@model("daily")
def daily(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    turn = np.cos(2 * np.pi * (world.hours(t) - options["peak"]) / 24)
    found: Array = options["mean"] + options["swing"] * turn + _own(world, device, options, t)
    return found


@model("daylight")
def daylight(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    clouds = 0.65 + 0.35 * np.clip(world.mood("clouds", t), -1, 1)
    found: Array = options["noon"] * sun(world.hours(t)) * clouds
    return found


@model("night")
def night(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    burning = sun(world.hours(t)) == 0
    trembling = options["jitter"] * world.noise(device, SALT, t)
    found: Array = np.where(burning, options["on"] + trembling, options["off"])
    return found


@model("switch")
def switch(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    span = np.floor(t / (60 * options["minutes"]))
    drawn: Array = np.mod(np.sin(span * 91.7 + device.number * 13.1) * 9973.7, 1)
    found: Array = np.where(drawn < options["share"], float(options["on"]), float(options["off"]))
    return found


@model("grows")
def grows(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    grown = options["start"] + options["per_day"] * (t - world.began) / DAY
    found: Array = np.clip(grown, 0.0, options["upto"])
    return found


def _own(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """What makes one device differ from the next, and its trembling."""
    apart = options["spread"] * world.own(device, SALT, -1, 1)
    found: Array = apart + options["jitter"] * world.noise(device, SALT, t)
    return found
