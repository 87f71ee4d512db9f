"""The world with all its models entered: import World from here."""

from __future__ import annotations

from zhiwan.run.simulator import air, plain, water
from zhiwan.run.simulator.world import MODELS, World

__all__ = ["MODELS", "World", "air", "plain", "water"]
