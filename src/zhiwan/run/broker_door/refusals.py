"""Counts of what the door refused, per hour and reason, and the broker's own refusals read from its log.

MQTT 3.1.1 cannot say no to a publish: a forbidden one is acknowledged and dropped, an oversized one ends the
connection. Only the broker's log tells of them, so that is where we read.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

log = logging.getLogger(__name__)

#: Words of nats-server's log, and our code for them.
LOG_WORDS = (
    (re.compile(r"Publish Violation"), "FORBIDDEN_TOPIC"),
    (re.compile(r"Subscription Violation"), "FORBIDDEN_SUBSCRIPTION"),
    (re.compile(r"maximum payload exceeded"), "TOO_LARGE"),
    (re.compile(r"in client ID"), "BAD_DEVICE_ID"),
    (re.compile(r"maximum bytes exceeded|insufficient (storage )?resources|no space left"), "STREAM_FULL"),
)

COUNT = """
INSERT INTO watch_doorcounter (hour, door, code, count) VALUES (%s, 'mqtt', %s, %s)
ON CONFLICT (space, hour, door, code) DO UPDATE SET count = watch_doorcounter.count + excluded.count
"""
REMEMBER = """
INSERT INTO registry_connectionrefusal (hour, code, device, count, last_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (hour, code) DO UPDATE SET
    count = registry_connectionrefusal.count + excluded.count, device = excluded.device, last_at = excluded.last_at
"""


@dataclass
class Refusals:
    """Counts in memory until the next flush; a crash loses at most a second of counts."""

    counted: Counter[tuple[datetime, str]] = field(default_factory=Counter)
    last: dict[tuple[datetime, str], tuple[str, datetime]] = field(default_factory=dict)

    def add(self, code: str, device: str = "", at: datetime | None = None) -> None:
        """One refusal. Names are cut and stripped: they come from outside."""
        moment = at or datetime.now(UTC)
        key = (moment.replace(minute=0, second=0, microsecond=0), code)
        self.counted[key] += 1
        self.last[key] = ("".join(c for c in device if c.isprintable())[:64], moment)

    async def flush(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        """Write what was counted; on failure it stays counted."""
        if not self.counted:
            return
        counted, last = self.counted, self.last
        self.counted, self.last = Counter(), {}
        try:
            async with pool.connection() as connection, connection.cursor() as cursor:
                await cursor.executemany(COUNT, [(hour, code, n) for (hour, code), n in counted.items()])
                rows = [
                    (hour, code, last[hour, code][0], n, last[hour, code][1]) for (hour, code), n in counted.items()
                ]
                await cursor.executemany(REMEMBER, rows)
        except Exception as problem:
            log.warning("refusals not written yet: %s", problem)
            self.counted.update(counted)
            self.last = {**last, **self.last}


class BrokerLog:
    """Follows the broker's log from its present end, through rotation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = path.stat().st_size if path.exists() else 0
        self._inode = path.stat().st_ino if path.exists() else 0
        self._rest = b""

    def new_refusals(self) -> list[tuple[str, str]]:
        """(code, device) of each refusal logged since the last call."""
        if not self.path.exists():
            return []
        now = self.path.stat()
        if now.st_ino != self._inode or now.st_size < self._place:
            self._place, self._inode, self._rest = 0, now.st_ino, b""
        with open(self.path, "rb") as file:
            file.seek(self._place)
            fresh = file.read(4_000_000)
        self._place += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        return [found for line in lines if (found := refusal_in(line.decode("utf-8", "replace")))]


def refusal_in(line: str) -> tuple[str, str] | None:
    """The refusal a line of the broker's log tells of, with the device where it is named."""
    for words, code in LOG_WORDS:
        if words.search(line):
            named = re.search(r'mid:\d+ - "([^"]*)"', line)
            return code, named[1] if named else ""
    return None
