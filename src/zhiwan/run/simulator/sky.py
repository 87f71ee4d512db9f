"""Rain that moves over the district, and the slow turns of the weather; all of it a function of time and seed.

A shower is a moving Gaussian blob whose strength swells and fades. Seen from one spot that is a Gaussian pulse in time
(product of Gaussians), so rain, its sums and all that runs off are closed formulas: no state, no steps, the past and
the present agree whoever asks and in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
HOUR, DAY = 3600.0, 86400.0
BLOCK = 8 * HOUR  # showers are drawn per block of so many seconds
REACH = 7  # blocks a shower's water may still be seen after it


@dataclass(frozen=True)
class Shower:
    """A rain cell: at `time` it stands at (x, y) metres and is strongest; speed in m/s."""

    time: float
    x: float
    y: float
    across: float
    along: float
    radius: float
    lasting: float  # standard deviation of its strength in time, seconds
    peak: float  # mm/h in the middle

    def at(self, x: float, y: float) -> tuple[float, float, float]:
        """Seen from a spot: strength of the pulse (mm/h), its middle and its width (s)."""
        dx, dy = self.x - x, self.y - y
        inverse = 1 / self.radius**2
        a = (self.across**2 + self.along**2) * inverse + 1 / self.lasting**2
        b = (dx * self.across + dy * self.along) * inverse
        exponent = -0.5 * ((dx * dx + dy * dy) * inverse - b * b / a)
        return self.peak * float(np.exp(exponent)), self.time - b / a, float(a**-0.5)


class Pulses:
    """All showers as one spot sees them."""

    def __init__(self, seen: Sequence[tuple[float, float, float]]) -> None:
        rows = np.array([one for one in seen if one[0] * one[2] > 0.02 * HOUR] or [(0.0, 0.0, 1.0)])
        self._strength, self._middle, self._width = rows[:, 0], rows[:, 1], rows[:, 2]
        self.depth = self._strength * self._width * float(np.sqrt(2 * np.pi)) / HOUR  # mm of each shower

    def rate(self, t: Array) -> Array:
        """mm/h at each time."""
        z = (t[:, None] - self._middle) / self._width
        found: Array = (self._strength * np.exp(-0.5 * z * z)).sum(axis=1)
        return found

    def amount(self, start: Array, end: Array) -> Array:
        """mm between two times."""
        found: Array = (self.depth * (self._part(end) - self._part(start))).sum(axis=1)
        return found

    def wet(self, t: Array, slow: float, spared: float = 0.0) -> Array:
        """Water that has run together: each shower's mm beyond `spared`, rising and draining with time scale `slow`."""
        u = np.maximum((t[:, None] - self._middle + self._width) / slow, 0.0)
        found: Array = (np.maximum(self.depth - spared, 0.0) * u * np.exp(1 - u)).sum(axis=1)
        return found

    def _part(self, t: Array) -> Array:
        z = (t[:, None] - self._middle) / self._width
        found: Array = 0.5 * (1 + np.tanh(0.7978845608 * (z + 0.044715 * z**3)))  # the normal curve, within 0.001
        return found


class Sky:
    """The showers of a seed over a district of some extent (metres round its middle)."""

    def __init__(self, seed: int, extent: float, staged: Sequence[Shower] = ()) -> None:
        self._seed, self._extent, self._staged = seed, extent, tuple(staged)
        self._block = lru_cache(maxsize=64)(self._drawn)
        self._pulses = lru_cache(maxsize=20_000)(self._seen)

    def pulses(self, x: float, y: float, start: float, end: float) -> Pulses:
        """What a spot sees of all showers that matter between two times."""
        return self._pulses(x, y, int(start // BLOCK) - REACH, int(end // BLOCK) + 1)

    def _seen(self, x: float, y: float, first: int, last: int) -> Pulses:
        showers = [*self._staged, *(one for block in range(first, last + 1) for one in self._block(block))]
        return Pulses([shower.at(x, y) for shower in showers])

    def _drawn(self, block: int) -> tuple[Shower, ...]:
        rng = np.random.default_rng([self._seed, 11, block])
        showers = []
        for _ in range(int(rng.poisson(0.8))):
            heading, speed = rng.normal(0.9, 0.5), rng.uniform(1, 5)
            showers.append(
                Shower(
                    time=(block + float(rng.uniform(0, 1))) * BLOCK,
                    x=float(rng.uniform(-1, 1)) * self._extent,
                    y=float(rng.uniform(-1, 1)) * self._extent,
                    across=float(speed * np.cos(heading)),
                    along=float(speed * np.sin(heading)),
                    radius=float(rng.uniform(2000, 6000)),
                    lasting=float(rng.uniform(1200, 3000)),
                    peak=float(min(85.0, 13 * np.exp(rng.normal(0, 0.8)))),
                )
            )
        return tuple(showers)


def turns(seed: int, name: str, t: Array) -> Array:
    """A slow wandering between about -1 and 1 that the whole district shares: the turns of the weather."""
    rng = np.random.default_rng([seed, *name.encode()])
    found = np.zeros_like(t)
    for days in (1.7, 2.9, 4.6, 7.3):
        found += np.sin(2 * np.pi * (t / (days * DAY) + rng.uniform(0, 1)))
    return found / 2.2


def sun(hour: Array) -> Array:
    """Height of the sun by the local hour, 1 at its highest, 0 at night; one day length all year."""
    found: Array = np.maximum(0.0, np.sin(np.pi * (hour - 6) / 13)) * (hour > 6) * (hour < 19)
    return found


def jitter(number: int, salt: int, t: Array) -> Array:
    """Noise of one device between -1 and 1, the same for the same second: what keeps a sensor from standing still."""
    x = np.sin(np.floor(t) * 12.9898 + number * 78.233 + salt * 37.719) * 43758.5453
    found: Array = 2 * (x - np.floor(x)) - 1
    return found
