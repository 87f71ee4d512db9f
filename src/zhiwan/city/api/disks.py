"""Room on the file systems below the data folder: a full one is told before its victims are found one by one."""

from __future__ import annotations

import os
from pathlib import Path

from zhiwan.city.api.health_words import Part, part

#: What writes where; a data folder of several hosts has only some of them.
FOLDERS = ("postgres", "nats", "lake", "logs")
FULL = 16 << 20
#: Little is left: less than a gigabyte and less than a twentieth.
LOW, LOW_SHARE = 1 << 30, 0.05


def disk(data: Path) -> Part:
    """The state of the fullest of them; `free_mb` tells of each."""
    free: dict[str, int] = {}
    full, low = [], []
    for name in FOLDERS:
        try:
            state = os.statvfs(data / name)
        except OSError:
            continue
        left, size = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
        free[name] = left >> 20
        if left < FULL:
            full.append(name)
        elif left < LOW and left < size * LOW_SHARE:
            low.append(name)
    told = {"free_mb": free}
    if full:
        found = part("degraded", "DISK_FULL", folders=", ".join(full), free=min(free[name] for name in full))
        return found | told
    if low:
        return part("low", "DISK_LOW", folders=", ".join(low), free=min(free[name] for name in low)) | told
    return part("ok") | told
