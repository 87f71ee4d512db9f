"""What `zhiwan up` knows of the parts it keeps alive, told to /healthz: a small file in the data folder.

The supervisor notices a crash at once, long before the part's signs of life run out; and it is the only one that knows
of a crash of the database. The file is rewritten in place and never grows: on a full file system that still works,
which is when it matters. It counts for as long as its writer lives.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NAME = "parts.json"
SIZE = 8192
RUNNING, STARTING, ENDED, ILL = "running", "starting", "ended", "ill"


@dataclass(frozen=True)
class Supervised:
    """One part. `since`: of its state, on this machine's monotonic clock (the other one may be set back); `reason`: why
    it ended last or is ill; `crashes`: since `up` began."""

    state: str
    since: float
    reason: str = ""
    crashes: int = 0

    def age(self) -> float:
        """Seconds in its state."""
        return time.monotonic() - self.since


def write(data: Path, parts: Mapping[str, Supervised]) -> None:
    """Tell how the parts are now."""
    told = {name: asdict(part) for name, part in parts.items()}
    body = json.dumps({"pid": os.getpid(), "parts": told}).encode()
    if len(body) > SIZE:  # a torn file would tell nothing
        return
    file = os.open(data / NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(file, body.ljust(SIZE), 0)
    finally:
        os.close(file)


def read(data: Path) -> dict[str, Supervised]:
    """What the running `up` of this data folder says; nothing where none runs, as on several hosts."""
    try:
        body: dict[str, Any] = json.loads((data / NAME).read_bytes())
        if not Path(f"/proc/{int(body['pid'])}").exists():
            return {}
        return {name: Supervised(**part) for name, part in body["parts"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
