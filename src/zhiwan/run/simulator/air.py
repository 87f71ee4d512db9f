"""Models of air and weather: one weather for the whole district, traffic by the hour, showers that wash the air."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from zhiwan.run.simulator.fleet import SimDevice
from zhiwan.run.simulator.sky import DAY, Array, sun
from zhiwan.run.simulator.world import World, model

Options = Mapping[str, Any]
_YEAR = 365.2425 * DAY


def _season(t: Array) -> Array:
    """-1 in the middle of January, +1 in the middle of July."""
    found: Array = -np.cos(2 * np.pi * (t / _YEAR - 15 / 365))
    return found


def _rush(hour: Array) -> Array:
    """Traffic: two humps, a quiet night."""
    found: Array = np.exp(-0.5 * ((hour - 8) / 1.4) ** 2) + 0.9 * np.exp(-0.5 * ((hour - 18) / 1.8) ** 2)
    return found


def _wind(world: World, t: Array) -> Array:
    hour = world.hours(t)
    found: Array = 3.0 + 1.8 * world.mood("wind", t) + 1.2 * sun(hour)  # a sea breeze by day
    return np.maximum(0.3, found)


def _warmth(world: World, t: Array) -> Array:
    hour = world.hours(t)
    swing = 3.4 * np.sin(2 * np.pi * (hour - 8.5) / 24)
    found: Array = 16.6 + 11.2 * _season(t - 12 * DAY) + swing + 2.6 * world.mood("warmth", t)
    return found


@model("weather")
def weather(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    shower = world.rain(device, t)
    found: Array
    match options["of"]:
        case "temperature":
            found = _warmth(world, t) - 2.5 * np.tanh(shower.rate(t) / 15) + world.own(device, 31, -0.7, 0.7)
            found = found + 0.15 * world.noise(device, 31, t)
        case "humidity":
            dry = 1.4 * (_warmth(world, t) - 16.6 - 11.2 * _season(t))
            found = 74 - dry + 12 * np.tanh(shower.wet(t, 3600) / 5) + 6 * world.mood("damp", t)
            found = np.clip(found + world.noise(device, 32, t), 18, 99)
        case "pressure":
            found = 1016 - 8 * _season(t) + 6 * world.mood("pressure", t) + 0.2 * world.noise(device, 33, t)
        case "wind_speed":
            found = _wind(world, t) * world.own(device, 34, 0.8, 1.2) + 0.5 * world.noise(device, 34, t)
            found = np.maximum(0.0, found)
        case "wind_direction":
            found = 135 + 110 * world.mood("direction", t) + 12 * world.noise(device, 35, t)
            found = np.mod(found, 360)
        case other:
            raise KeyError(other)
    return found


@model("air")
def air(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """Stations share haze, wind and hour; each has a little of its own."""
    hour, wind = world.hours(t), _wind(world, t)
    spread = np.clip(2.2 / (0.6 + wind / 2.2), 0.6, 1.7)  # calm air keeps what is emitted
    washed = np.exp(-0.02 * world.rain(device, t).wet(t, 2 * 3600))
    haze = np.exp(0.32 * world.mood("haze", t)) * (1 - 0.28 * _season(t)) * spread * washed
    traffic = 1 + 0.16 * _rush(hour)
    near = world.own(device, 41, 0.92, 1.08) * (1 + options["local"] * world.noise(device, 42, t))
    pm25 = 25 * haze * traffic * near
    if device.id in world.hot:
        pm25 = pm25 + 110 * world.pulse(t, 25, 30)  # someone burns something next door
    own = 0.03 * world.noise(device, 43, t)
    found: Array
    match options["of"]:
        case "pm25":
            found = pm25 * (1 + own) + 1
        case "pm10":
            found = 1.45 * pm25 * (1 + own) + 9
        case "so2":
            found = 5 + 0.05 * pm25 + 0.6 * world.noise(device, 44, t)
        case "no2":
            found = 18 * haze * (1 + 0.5 * _rush(hour)) * near * (1 + own) + 4
        case "co":
            found = 0.35 + 0.009 * pm25 + 0.03 * world.noise(device, 45, t)
        case "o3":
            light = sun(hour - 1.5) * (1 + 0.55 * _season(t))
            found = 45 + 62 * light - 8 * _rush(hour) + 3 * world.noise(device, 46, t)
            found = np.maximum(4.0, found * world.own(device, 47, 0.95, 1.05))
        case other:
            raise KeyError(other)
    return found


@model("dust")
def dust(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    """Work by day, wind and dry ground; rain lays the dust. Rarely a site forgets to sprinkle."""
    hour = world.hours(t)
    work = np.exp(-0.5 * ((hour - 13) / 4.5) ** 2)
    busy = world.own(device, 51, 0.3, 1.0)
    laid = np.exp(-0.15 * world.rain(device, t).wet(t, 3 * 3600))
    found = 0.07 + 0.28 * work * busy * laid * (0.7 + _wind(world, t) / 9)
    if device.id in world.dusty:
        found = found + (1.1 + world.own(device, 52, 0, 1.2)) * world.pulse(t, 8, 18)
    slot = np.floor(t / (4 * 3600))
    rare = np.mod(np.sin(slot * 91.7 + device.number * 13.1) * 9973.7, 1) > 0.985
    bump = np.exp(-0.5 * ((np.mod(t, 4 * 3600) / 3600 - 2) / 0.25) ** 2)
    found = found + np.where(rare, 1.3 * bump * work * laid, 0)
    return np.maximum(0.01, found * (1 + 0.06 * world.noise(device, 53, t)))


@model("noise")
def noise(world: World, device: SimDevice, options: Options, t: Array) -> Array:
    hour = world.hours(t)
    work = np.exp(-0.5 * ((hour - 13) / 4.5) ** 2)
    return 47 + 14 * work * world.own(device, 54, 0.5, 1.0) + 3 * world.noise(device, 54, t)
