"""Files that only this account may read."""

from __future__ import annotations

import os
from pathlib import Path


def private_file(path: Path, text: str) -> None:
    """Write `text` so that at no moment anyone else can read it, and a crash leaves the old or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
