"""The simulated district: physically linked devices, 3 % of them faulty in known ways, one MQTT client each.

fleet      which devices stand where          world, sky, water, air   what they would measure at a moment
faults     what is wrong with a few of them   history                  the two days before the beginning
publisher  one real MQTT client per device    load                     entities and devices into the registry
"""

from __future__ import annotations


def main(*, speed: float = 1.0) -> None:
    """The `zhiwan simulator` process: publish until told to stop."""
    from zhiwan.run.simulator.process import run

    run(speed=speed)


__all__ = ["main"]
