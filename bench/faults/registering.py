"""Registers the gauges of the fault trials in a running Zhiwan, as an import would; prints their secrets as JSON.

python -m bench.faults.registering DATA GAUGES
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench.faults.signals import TYPE, WARNING
from zhiwan.run.folder import DataFolder


def main() -> None:
    data, gauges = Path(sys.argv[1]), int(sys.argv[2])
    DataFolder(data).adopt_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
    import django

    django.setup()
    from zhiwan.city.people.acting import acting_system
    from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities
    from zhiwan.city.registry.models import Area

    with acting_system("cli"):
        villages = list(Area.objects.filter(level="village").values_list("code", flat=True))
        drafts = [
            EntityDraft(
                id=f"gauge{n}",
                type=TYPE,
                name=f"试验水尺 {n}",
                name_en=f"Trial gauge {n}",
                area=villages[n % len(villages)],
                lon=121.2 + n % 20 * 0.004,
                lat=30.75 + n // 20 * 0.004,
                fields={"warning": WARNING},
                simulated=True,
            )
            for n in range(gauges)
        ]
        save_entities(drafts=drafts)
        secrets = create_devices(pairs=[(draft.id, draft.id) for draft in drafts], simulated=True)
    print(json.dumps(secrets))


if __name__ == "__main__":
    main()
