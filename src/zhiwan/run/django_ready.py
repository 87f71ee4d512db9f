"""Django for a command: settings read, apps loaded. Each command that needs it asks; the others start quicker."""

from __future__ import annotations

import os
from pathlib import Path


def make_django_ready(data: Path | None = None) -> None:
    """`data`: the folder of a running Zhiwan, whose addresses are taken where the environment names none."""
    if data is not None:
        from zhiwan.run.folder import DataFolder

        DataFolder(data.resolve()).adopt_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
    import django

    django.setup()
