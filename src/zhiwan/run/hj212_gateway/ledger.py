"""What the gateway took and refused: counted all, kept for people within bounds, written every second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from zhiwan.kernel.sense.reasons import Problem, SetAside, set_aside

log = logging.getLogger(__name__)

#: Writes counts and refused rows for good; raises when it could not.
Write = Callable[[Mapping[str, int], Sequence[SetAside], datetime], Awaitable[None]]
#: What a sender says with every frame until somebody acts is shown once in so many seconds, and counted always.
REPEATED = {"DATA_FLAG", "UNKNOWN_PROPERTY", "UNKNOWN_DEVICE", "WRONG_PASSWORD", "DEVICE_DISABLED", "COMMAND_UNKNOWN"}
SHOWN_EVERY = 600.0
#: Rows kept in an hour: nobody can read more, and a broken line must not fill the database.
MOST_KEPT = 2000
_HOUR = 3600.0
_MOST_REMEMBERED = 20_000


class Ledger:
    """Counts and rows until they are written; a crash loses at most a second of them."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._counts: Counter[str] = Counter()
        self._rows: list[SetAside] = []
        self._shown: dict[tuple[str, str, str], float] = {}
        self._hour, self._kept = 0.0, 0
        self._writing = asyncio.Lock()

    def count(self, code: str, times: int = 1) -> None:
        """One more of an outcome."""
        self._counts[code] += times

    def refuse(self, problem: Problem, device: str, at: datetime | None = None) -> None:
        """Count a refusal and keep it, unless the same was shown a moment ago."""
        self.count(problem.code)
        now = time.monotonic()
        if problem.code in REPEATED and not self._is_new((device, problem.property, problem.code), now):
            return
        if now - self._hour > _HOUR:
            self._hour, self._kept = now, 0
        self._kept += 1
        if self._kept <= MOST_KEPT:
            self._rows.append(set_aside(problem, 0, device, at))

    def _is_new(self, key: tuple[str, str, str], now: float) -> bool:
        if now - self._shown.get(key, -SHOWN_EVERY) < SHOWN_EVERY:
            return False
        if len(self._shown) >= _MOST_REMEMBERED:
            self._shown.clear()
        self._shown[key] = now
        return True

    async def flush(self) -> bool:
        """Write what is not yet written; False when that failed (it stays for the next time)."""
        async with self._writing:
            if not self._counts and not self._rows:
                return True
            counts, rows = self._counts, self._rows
            self._counts, self._rows = Counter(), []
            try:
                await self._write(counts, rows, datetime.now(UTC))
            except Exception as problem:
                log.warning("refusals not written yet: %s", problem)
                self._counts.update(counts)
                self._rows = (rows + self._rows)[-MOST_KEPT:]
                return False
            return True
