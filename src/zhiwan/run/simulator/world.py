"""The simulated district as a function: what a device would measure at a moment, given seed and beginning.

    world = World(fleet, place, seed, began=now, speed=1)
    world.values(device, at)     → {"level": 3.12}
    world.series(device, times)  → the same over an array of moments, for history

Everything hangs together: tide → river → polder → gate, showers → ponding, drains, pumps and rivers with their lags,
one weather for all air stations. Speed N lets the physics run N times faster than the clock; stamps stay real.
Each signal of demo.yml names a model; models live in water.py and air.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from zhiwan.kernel.packs.place import PlaceDecl
from zhiwan.run.simulator.fleet import SEED, SimDevice
from zhiwan.run.simulator.sky import HOUR, Array, Pulses, Shower, Sky, jitter, turns

METRES = 111_320.0
#: model(world, device, options, t) → values; t are seconds of the simulated clock.
Model = Callable[["World", SimDevice, Mapping[str, Any], Array], Array]
MODELS: dict[str, Model] = {}


def model(name: str) -> Callable[[Model], Model]:
    """Enter a model under the name that demo.yml uses."""

    def enter(function: Model) -> Model:
        MODELS[name] = function
        return function

    return enter


class World:
    """One district, one seed, one beginning."""

    def __init__(
        self,
        fleet: Sequence[SimDevice],
        place: PlaceDecl,
        seed: int = SEED,
        *,
        began: datetime,
        speed: float = 1.0,
    ) -> None:
        self.seed, self.speed = seed, speed
        self.began = began.timestamp()
        self.devices = {device.id: device for device in fleet}
        self.zone = place.place.zone
        lon = np.array([device.lon for device in fleet]) if fleet else np.zeros(1)
        lat = np.array([device.lat for device in fleet]) if fleet else np.zeros(1)
        self._lon, self._lat = float(lon.mean()), float(lat.mean())
        self._across = METRES * float(np.cos(np.radians(self._lat)))
        extent = float(max(np.ptp(lon) * self._across, np.ptp(lat) * METRES)) / 2 + 2000
        self._marks = {name: self._first(fleet, name) for name in ("river", "underpass", "ponding", "rain")}
        self.hot = self._spread(fleet, "air", 1, only_local=True)
        self.dusty = self._spread(fleet, "dust", 2)
        self.shore = [self.spot(device) for device in fleet if _uses(device, "tide")] or [(0.0, -extent)]
        self.sky = Sky(seed, extent, self._staged())
        self._fleet = tuple(fleet)

    # -- asked from outside ----------------------------------------------------------------------------------------

    def values(self, device: SimDevice, at: datetime) -> dict[str, float]:
        """What the device measures at a real moment, rounded as it would tell it; a frozen sensor stands still."""
        series = self.series(device, np.array([at.timestamp()]), device.every)
        found = {name: float(column[0]) for name, column in series.items()}
        if device.fault is not None and device.fault.kind == "frozen":
            stuck = self.series(device, np.array([self.began]), device.every)
            found[device.fault.property] = float(stuck[device.fault.property][0])
        return found

    def series(self, device: SimDevice, times: Array, every: timedelta) -> dict[str, Array]:
        """Columns over real moments (seconds since 1970); `every` is the span that sums (rain) look back on."""
        t = self.physical(times)
        options = {"every": every.total_seconds() / self.speed if self.speed > 1 else every.total_seconds()}
        return {
            name: np.round(MODELS[signal["model"]](self, device, {**signal, **options}, t), device.decimals[name])
            for name, signal in device.signals.items()
        }

    # -- asked by models -------------------------------------------------------------------------------------------

    def physical(self, times: Array) -> Array:
        """Simulated seconds of real seconds: equal until the beginning, then `speed` times as fast."""
        past = np.minimum(times, self.began)
        found: Array = past + np.maximum(times - self.began, 0.0) * self.speed
        return found

    def column(self, device: SimDevice, name: str, t: Array) -> Array:
        """A signal of a device at simulated times, unrounded."""
        signal = device.signals[name]
        return MODELS[signal["model"]](self, device, {**signal, "every": device.every.total_seconds()}, t)

    def linked(self, device: SimDevice, link: str) -> SimDevice | None:
        return self.devices.get(device.links.get(link, ""))

    def spot(self, device: SimDevice) -> tuple[float, float]:
        """Metres east and north of the middle."""
        return (device.lon - self._lon) * self._across, (device.lat - self._lat) * METRES

    def rain(self, device: SimDevice, t: Array) -> Pulses:
        x, y = self.spot(device)
        return self.sky.pulses(x, y, float(t.min()), float(t.max()))

    def inland(self, device: SimDevice) -> float:
        """Kilometres to the nearest tide gauge."""
        x, y = self.spot(device)
        return min(float(np.hypot(x - a, y - b)) for a, b in self.shore) / 1000

    def own(self, device: SimDevice, salt: int, low: float, high: float) -> float:
        """A constant of this one device."""
        return float(np.random.default_rng([self.seed, device.number, salt]).uniform(low, high))

    def noise(self, device: SimDevice, salt: int, t: Array) -> Array:
        return jitter(device.number, salt, t)

    def mood(self, name: str, t: Array) -> Array:
        """A slow turn of the weather that all devices share."""
        return turns(self.seed, name, t)

    def hours(self, t: Array) -> Array:
        """Local hour of the day; the demonstration's places keep one offset all year."""
        from zoneinfo import ZoneInfo

        offset = datetime.fromtimestamp(self.began, ZoneInfo(self.zone)).utcoffset() or timedelta()
        found: Array = ((t + offset.total_seconds()) / HOUR) % 24
        return found

    def pulse(self, t: Array, minutes: float, width: float) -> Array:
        """A bump of height 1 so many minutes after the beginning: what is staged for the first look at a demo."""
        z = (t - self.began - minutes * 60) / (width * 60)
        found: Array = np.exp(-0.5 * z * z)
        return found

    @cached_property
    def jammed(self) -> str:
        """The one gate that stands open against the river when a demonstration begins."""
        t = np.array([self.began])
        for device in self._fleet:
            outside, inside = self.linked(device, "outside"), self.linked(device, "inside")
            if not _uses(device, "gate") or outside is None or inside is None:
                continue
            sound = not (device.fault or outside.fault or inside.fault)
            if sound and float((self.column(outside, "level", t) - self.column(inside, "level", t))[0]) > 0.2:
                return device.id
        return ""

    # -- the stage: a few things are going on when a demonstration begins ------------------------------------------

    def _staged(self) -> list[Shower]:
        """Rain five hours ago raised one river, a shower half an hour ago flooded one underpass, a storm is coming."""
        showers = []
        if (mark := self._marks["river"]) is not None:
            x, y = self.spot(mark)
            showers.append(Shower(self.began - 5 * HOUR, x, y, 0.5, 0.3, 3000, 3000, 40))
        if (mark := self._marks["underpass"] or self._marks["ponding"]) is not None:
            x, y = self.spot(mark)
            showers.append(Shower(self.began - 0.6 * HOUR, x, y, 0.4, 0.6, 1800, 900, 52))
        if (mark := self._marks["rain"]) is not None:
            x, y = self.spot(mark)
            showers.append(Shower(self.began + 0.45 * HOUR, x, y, 0.3, 0.5, 2300, 700, 105))
        return showers

    def _first(self, fleet: Sequence[SimDevice], name: str) -> SimDevice | None:
        """The sound device with a model that a little water harms most, so that what is staged does show."""
        found = [device for device in fleet if _uses(device, name) and device.fault is None]
        if not found:
            return None
        if name == "river":
            return min(found, key=lambda device: (float(device.fields.get("warning_level") or 9.0), device.id))
        return max(found, key=lambda device: (self.own(device, 21, 0, 1), device.id))

    def _spread(self, fleet: Sequence[SimDevice], name: str, count: int, *, only_local: bool = False) -> set[str]:
        found = [device.id for device in fleet if _uses(device, name) and device.fault is None]
        if only_local:
            found = [id for id in found if any(one.get("local") for one in self.devices[id].signals.values())]
        step = max(1, len(found) // (count + 1))
        return set(found[step::step][:count])


def _uses(device: SimDevice, name: str) -> bool:
    return any(signal["model"] == name for signal in device.signals.values())
