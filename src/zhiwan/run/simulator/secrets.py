"""The devices' own secrets: one private file in the data folder, written when devices are registered.

The platform keeps only digests; the simulator plays the devices and so must hold what real devices would hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from zhiwan.city.files import private_file
from zhiwan.kernel.facts.errors import PartUnavailable


class NoDeviceSecrets(PartUnavailable):
    code = "SIM-001"
    fact = "the simulator has no secrets of its devices"
    detail = "{path} is missing or cannot be read."
    hint = "Load the demonstration again: bin/zhiwan demo load"


def secrets_file(data: Path) -> Path:
    return data / "secrets" / "devices.json"


def read_secrets(data: Path) -> dict[str, str]:
    """Secret by device id. Raises NoDeviceSecrets."""
    path = secrets_file(data)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise NoDeviceSecrets(path=path) from problem
    return {str(id): str(secret) for id, secret in found.items()}


def write_secrets(data: Path, given: Mapping[str, str]) -> None:
    """Replace the file; mode 600."""
    private_file(secrets_file(data), json.dumps(dict(sorted(given.items())), indent=0) + "\n")
