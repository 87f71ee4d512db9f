"""Notices that NATS has stopped storing. Measured with nats-server 2.15: a stream that once met a full disk refuses
every message from then on, whatever room there is later, until the server starts anew. Nothing acknowledged is lost by
that, and nothing new is acknowledged: so once there is room again, it is started anew.

A failure is read from the server's log; where the log lies on the full disk itself, from the disk.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

FAILS = re.compile(
    rb"no space left on device|disk quota exceeded|input/output error|read-only file system|will be DISABLED", re.I
)
#: Below this nobody can write a message; above that there is room again.
NOTHING_LEFT, ROOM = 1 << 20, 16 << 20
LOOK_SECONDS = 1.0
MOST_READ = 1 << 20
WORDS = "it stopped storing when its disk was full; there is room again"


class StoreWatch:
    """Made when the server has started; it looks at what comes after."""

    def __init__(self, log: Path, store: Path) -> None:
        self._log, self._store = log, store
        self._place = self._size()
        self._failed = False
        self._next = 0.0

    def complaint(self) -> str | None:
        """Why the server must start anew; None while it stores, and while a new start would not help."""
        now = time.monotonic()
        if now < self._next:
            return None
        self._next = now + LOOK_SECONDS
        state = os.statvfs(self._store)
        free = state.f_bavail * state.f_frsize
        self._failed = self._failed or free < NOTHING_LEFT or self._log_tells()
        return WORDS if self._failed and free > ROOM else None

    def _size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _log_tells(self) -> bool:
        size = self._size()
        if size < self._place:  # another log in its place
            self._place = 0
        if size == self._place:
            return False
        with open(self._log, "rb") as file:
            file.seek(max(self._place, size - MOST_READ))
            self._place = size
            return bool(FAILS.search(file.read(MOST_READ)))
