"""When `zhiwan up` starts the round: once a night; after a night that it slept through, soon after its start."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from zhiwan.city.keeping.plan import Night, read_night, write_night
from zhiwan.run.embedded import child as embedded

AT = time(3, 37)
SETTLED = timedelta(minutes=10)  # a start is not slowed by what was slept through


class Nightly:
    """Looked at in each round of the supervisor, from the thread that starts processes."""

    def __init__(
        self, data: Path, environment: Mapping[str, str], log: Path, zone: str, say: Callable[[str], None]
    ) -> None:
        self._data, self._environment, self._log, self._say = data, dict(environment), log, say
        self._zone = ZoneInfo(zone)
        self._since = datetime.now(UTC)
        self._process: subprocess.Popen[bytes] | None = None
        if read_night(data) is None:
            write_night(data, Night(began_at=self._since, ended_at=self._since))
        self._due = self._next()

    def look(self, now: datetime | None = None) -> None:
        """Start the round when it is due; tell when it did not end well."""
        now = now or datetime.now(UTC)
        if self._process is not None:
            if (code := self._process.poll()) is not None:
                self._process = None
                self._due = self._next()
                if code != 0:
                    self._say(f"the round of the night did not do everything; see {self._log}")
        elif now >= self._due and now - self._since >= SETTLED:
            self._process = embedded.spawn(
                [sys.executable, "-m", "zhiwan.run.cli", "nightly", "--data", str(self._data)],
                log=self._log,
                user=embedded.ourselves(),
                death_signal=signal.SIGKILL,
                environment=self._environment,
            )

    def stop(self) -> None:
        """A round under way is broken off; what it had not done is done the next time."""
        if self._process is not None:
            embedded.stop(self._process, (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
            self._process = None

    def _next(self) -> datetime:
        """The first time of night after the last round began."""
        night = read_night(self._data)
        last = (night.began_at if night else self._since).astimezone(self._zone)
        due = datetime.combine(last.date(), AT, self._zone)
        return due if due > last else due + timedelta(days=1)
