"""Registers the fleet of a load test in a running Zhiwan, as an import would, and writes the generator's file.

    python -m bench.register DATA DEVICES PROBES FILE

Half the devices are pump stations (level, running, power), half weather stations (temperature, humidity, wind speed):
three values a message, none of which is an input of a derive step. The first PROBES pump stations flip their power:
the rule `base.bench.probe` opens an alarm each time it rises.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from zhiwan.city.files import private_file
from zhiwan.run.folder import DataFolder

#: What each type sends, in the generator's words. Bounds lie inside the declared ranges.
SENDS = {
    "PumpStation": ("level:0.50:2.50", "running=0:1", "power:100:900"),
    "WeatherStation": ("temperature:5:25", "humidity:40:80", "wind_speed:0:12"),
}
PROBE = ("level:0.50:2.50", "running=0:1", "!power:100:4500")
PROBE_ABOVE, PROBE_CLEAR = 4000.0, 3000.0


def properties() -> dict[str, list[str]]:
    """Numbers that the fleet sends, by type."""
    return {type_: [word.partition(":")[0] for word in words if ":" in word] for type_, words in SENDS.items()}


def register_fleet(devices: int, probes: int) -> list[str]:
    """Registers `devices` devices in this process's city; the generator's line of each."""
    from zhiwan.city.people.acting import acting_system
    from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities
    from zhiwan.city.registry.models import Area

    types = list(SENDS)
    with acting_system("cli"):
        villages = list(Area.objects.filter(level="village").values_list("code", flat=True))
        drafts = [
            EntityDraft(
                id=f"b{n}",
                type=types[0] if n < probes else types[n % 2],
                name=f"压测 {n}",
                name_en=f"Bench {n}",
                area=villages[n % len(villages)],
                lon=121.2 + n % 100 * 0.002,
                lat=30.75 + n // 100 % 100 * 0.001,
                fields={"start_level": 1e6} if n < probes or types[n % 2] == "PumpStation" else {},
                simulated=True,
            )
            for n in range(devices)
        ]
        save_entities(drafts=drafts)
        secrets = create_devices(pairs=[(draft.id, draft.id) for draft in drafts], simulated=True)
    return [
        " ".join([draft.id, secrets[draft.id], *(PROBE if n < probes else SENDS[draft.type])])
        for n, draft in enumerate(drafts)
    ]


def main() -> None:
    data, devices, probes, file = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    DataFolder(data).adopt_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
    import django

    django.setup()
    private_file(file, "\n".join(register_fleet(devices, probes)) + "\n")


if __name__ == "__main__":
    main()
