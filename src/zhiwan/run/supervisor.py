"""Keeps the processes of one machine alive: starts them, restarts what crashes or is ill, stops all and only them.

Each child has a log file of its own, a session of its own (so that Ctrl-C reaches the supervisor alone, which then
stops in order) and the parent-death signal, which belongs to the starting thread: parts start from the main thread.
How each part is now is told in a file that /healthz reads (city/supervised.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from zhiwan.city.supervised import ENDED, ILL, RUNNING, STARTING, Supervised
from zhiwan.run.embedded import child as embedded

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_AFTER = 60.0  # a child that lived this long has recovered: its next crash waits briefly again
Say = Callable[[str], None]
Tell = Callable[[Mapping[str, Supervised]], None]


class Part(Protocol):
    """What the supervisor needs of anything it keeps alive."""

    name: str

    def start(self) -> None: ...
    def exit_code(self) -> int | None: ...
    def complaint(self) -> str | None:
        """Why it must be started anew although it runs; None as long as it is well."""

    def begin_stop(self) -> None: ...
    def stop(self, grace: float) -> None: ...


@dataclass
class Child:
    """One process of ours: a zhiwan subcommand with its own log."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.process = embedded.spawn(
            [sys.executable, "-m", "zhiwan.run.cli", *self.arguments],
            log=self.log,
            user=embedded.ourselves(),
            death_signal=signal.SIGKILL,
            environment=dict(self.environment),
        )

    def exit_code(self) -> int | None:
        return self.process.poll() if self.process else None

    def complaint(self) -> str | None:
        return None  # what our own processes suffer from they mend themselves

    def begin_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self, grace: float) -> None:
        process = self.process
        if process is None:
            return
        embedded.stop(process, (signal.SIGTERM, grace))
        # What it forked (granian's workers) shares its session, hence its group; nobody else does.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        self.process = None

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, for a person who has to find out what went wrong."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@dataclass
class _Watch:
    part: Part
    started: float
    pause: float = _FIRST_PAUSE
    due: float | None = None  # when to start it again; None while it runs
    crashes: int = 0
    state: str = STARTING
    reason: str = ""
    since: float = field(default_factory=time.monotonic)

    def turn(self, state: str, reason: str = "") -> None:
        self.state, self.reason, self.since = state, reason, time.monotonic()


class Supervisor:
    def __init__(self, say: Say, tell: Tell | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._tell = tell
        self._clock = clock
        self._watched: list[_Watch] = []

    def run(self, part: Part) -> None:
        """Starts a part and watches it from now on."""
        part.start()
        watch = _Watch(part, started=self._clock())
        watch.turn(RUNNING)
        self._watched.append(watch)
        self._note()

    def look(self) -> None:
        """One round: notices what ended or is ill, and starts again what is due."""
        for watch in self._watched:
            now = self._clock()
            if watch.due is not None:
                if now >= watch.due:
                    self._restart(watch)
            elif (code := watch.part.exit_code()) is not None:
                self._again(watch, now, ENDED, _reason(code), "ended")
            elif (complaint := watch.part.complaint()) is not None:
                self._again(watch, now, ILL, complaint, "is ill")

    def _again(self, watch: _Watch, now: float, state: str, reason: str, what: str) -> None:
        if now - watch.started > _STEADY_AFTER:
            watch.pause = _FIRST_PAUSE
        watch.crashes += 1
        watch.due = now + watch.pause
        self._say(f"{watch.part.name} {what} ({reason}); starting it again in {watch.pause:g} s")
        watch.pause = min(watch.pause * 2, _LONGEST_PAUSE)
        watch.turn(state, reason)
        self._note()

    def _restart(self, watch: _Watch) -> None:
        watch.part.stop(0.0)  # reaps it, and ends what it may have left in its session
        try:
            watch.part.start()
        except Exception as problem:
            watch.due = self._clock() + watch.pause
            self._say(f"{watch.part.name} does not start ({problem}); next try in {watch.pause:g} s")
            watch.pause = min(watch.pause * 2, _LONGEST_PAUSE)
            watch.turn(ENDED, watch.reason)
        else:
            watch.started, watch.due = self._clock(), None
            watch.turn(RUNNING, watch.reason)
        self._note()

    def _note(self) -> None:
        """Tells how the parts are; who cannot be told must not stop us."""
        if self._tell is None:
            return
        with contextlib.suppress(OSError):
            self._tell({w.part.name: Supervised(w.state, w.since, w.reason, w.crashes) for w in self._watched})

    def crashes(self) -> dict[str, int]:
        return {watch.part.name: watch.crashes for watch in self._watched}

    def stop_all(self, grace: float = 8.0) -> None:
        """Tells our processes together, then waits in the reverse order of the start: what stores ends last."""
        for watch in self._watched:
            watch.part.begin_stop()
        while self._watched:
            self._watched.pop().part.stop(grace)


def _reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
