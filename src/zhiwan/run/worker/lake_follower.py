"""Gives the lake what was committed, in order, a little later; keeps its roll-ups and files in shape.

In a thread of its own, so that a compaction does not delay an alarm. When the lake does not take anything, parcels
stay (here, and in PostgreSQL's outbox); when too much waits, `add` waits too, and the streams fill and refuse.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import defaultdict

import polars as pl

from zhiwan.kernel.lake.port import LakePort
from zhiwan.run.worker.outbox import Parcel

log = logging.getLogger(__name__)

APPEND_SECONDS = 1.0
ROLL_UP_SECONDS = 60.0
VACUUM_SECONDS = 6 * 3600.0
COMPACT_COMMITS = 100
#: Below what intake remembers by itself (kernel/sense/memory.py): older duplicates are looked for in the lake.
MOST_ROWS = 500_000
RETRY_SECONDS = 3.0
#: What `problem` says of a full disk; any other one is named after its error (the rest is for the log).
DISK_FULL = "disk full"


class LakeFollower:
    """The only writer of observations to the lake."""

    def __init__(self, lake: LakePort) -> None:
        self.lake = lake
        self.commits = 0
        self.problem: str | None = None
        self._waiting: list[Parcel] = []
        self._done: list[str] = []
        self._rows = 0
        self._committed: dict[str, int] = {}  # what the lake has of each app, asked once
        self._changed = threading.Condition()
        self._stop = False
        self._thread: threading.Thread | None = None

    @property
    def waiting_rows(self) -> int:
        """Rows the lake has not yet got."""
        return self._rows

    @property
    def crowded(self) -> bool:
        """Whether so much waits that `add` would wait too."""
        return self._rows > MOST_ROWS

    def add(self, parcel: Parcel) -> None:
        """Hand over rows that are committed in PostgreSQL. Waits while too many wait, if the thread runs."""
        with self._changed:
            while self._thread is not None and not self._stop and self._rows > MOST_ROWS:
                self._changed.wait(1.0)
            self._waiting.append(parcel)
            self._rows += parcel.frame.height

    def flush(self) -> int:
        """Append all that waits, one commit for each stream; the number of rows."""
        with self._changed:
            taken = list(self._waiting)
        by_app: dict[str, list[Parcel]] = defaultdict(list)
        for parcel in taken:
            by_app[parcel.app].append(parcel)
        for app, parcels in by_app.items():
            if app not in self._committed:
                self._committed[app] = self.lake.committed(app)
            frames = [parcel.frame for parcel in parcels if parcel.seq > self._committed[app]]
            if frames:
                self.lake.append(pl.concat(frames), app, parcels[-1].seq)
                self._committed[app] = parcels[-1].seq
                self.commits += 1
            with self._changed:
                gone = {parcel.key for parcel in parcels}
                self._waiting = [parcel for parcel in self._waiting if parcel.key not in gone]
                self._done += [parcel.key for parcel in parcels]
                self._rows = sum(parcel.frame.height for parcel in self._waiting)
                self._changed.notify_all()
        return sum(parcel.frame.height for parcel in taken)

    @property
    def has_done(self) -> bool:
        """Whether parcels wait to leave the outbox."""
        return bool(self._done)

    def take_done(self) -> list[str]:
        """Keys of parcels the lake has, since the last call: they may leave the outbox."""
        with self._changed:
            done, self._done = self._done, []
        return done

    def start(self) -> None:
        """Follow in a thread."""
        self._thread = threading.Thread(target=self._follow, name="lake", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Append what waits, then end. What does not make it in time stays in the outbox."""
        self._stop = True
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)

    def _follow(self) -> None:
        rolled = vacuumed = time.monotonic()
        compacted = 0
        while True:
            stopping = self._stop
            began = time.monotonic()
            try:
                self.flush()
                if began - rolled > ROLL_UP_SECONDS:
                    rolled = began
                    self.lake.roll_up()
                if self.commits - compacted >= COMPACT_COMMITS:
                    compacted = self.commits
                    self.lake.compact()
                if began - vacuumed > VACUUM_SECONDS:
                    vacuumed = began
                    self.lake.vacuum()
                self.problem = None
            except Exception as problem:
                # Whatever it is (full disk, object store away): nothing is lost, try again.
                self.problem = DISK_FULL if is_disk_full(problem) else type(problem).__name__
                log.exception("the lake did not take %d rows; trying again", self._rows)
                self._pause(RETRY_SECONDS)
            if stopping:
                return
            self._pause(max(0.0, APPEND_SECONDS - (time.monotonic() - began)))

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stop and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))


def is_disk_full(problem: Exception) -> bool:
    """Whether there was no room: the lake's writer is not Python and tells it in words only."""
    return getattr(problem, "errno", None) == errno.ENOSPC or "No space left on device" in str(problem)
