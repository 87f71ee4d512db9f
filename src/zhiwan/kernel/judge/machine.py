"""The life of one alarm of one rule at one entity: a fold over readings in event time. Pure and slow enough to read.

    idle ──when──▶ pending ──lasting──▶ open ──clear, clear_lasting──▶ idle
                      └──not when──▶ idle      └─ latched ─▶ quiet ──when──▶ open, ──released──▶ idle

A value holds until the next reading, but not longer than `hold` (three cadences): a condition that was met at 10:00
ripens at 10:10 even if the next reading comes at 10:15, and does not ripen across a gap. Clearing needs readings: no
data never clears an alarm. An unknown condition neither lasts nor clears.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

Phase = Literal["idle", "pending", "open", "quiet"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """The spans of a rule, and the order of its levels."""

    lasting: timedelta
    clear_lasting: timedelta
    hold: timedelta | None
    latched: bool
    ranks: dict[str, int]

    def known_level(self, level: object) -> str | None:
        return level if isinstance(level, str) and level in self.ranks else None

    @property
    def lowest(self) -> str:
        return min(self.ranks, key=lambda level: self.ranks[level])


class Reading(msgspec.Struct, frozen=True):
    """One judged reading: truth of `when` and `clear` (None: unknown), level where `when` holds, and all its values."""

    at: datetime
    when: bool | None
    clear: bool | None
    level: str | None
    row: Row


class Episode(msgspec.Struct, frozen=True):
    """One alarm so far. `steps` counts its events; `id` is given when it is first told."""

    opened_at: datetime
    level: str
    peak: str
    id: str = ""
    steps: int = 0
    cleared_at: datetime | None = None
    quiet_at: datetime | None = None
    released: bool = False
    message: tuple[str, str] = ("", "")


class Snapshot(msgspec.Struct, frozen=True):
    """Where one rule stands at one entity."""

    phase: Phase = "idle"
    since: datetime | None = None  # of the pending condition
    clearing: datetime | None = None  # since when `clear` holds
    episode: Episode | None = None
    row: Row | None = None  # of the last reading that met the condition

    def shape(self) -> tuple[Any, ...]:
        """What decides how it goes on: two snapshots of one shape differ only in what a message would quote."""
        return self.phase, self.since, self.clearing, self.episode


class Fact(msgspec.Struct, frozen=True):
    """Something that happened to an episode: `episode` is how it stands afterwards."""

    kind: str
    at: datetime
    episode: Episode
    row: Row
    withdrawn: bool = False  # late data shows that the alarm never was


IDLE = Snapshot()


def step(timing: Timing, now: Snapshot, reading: Reading, previous: datetime | None) -> tuple[Snapshot, list[Fact]]:
    """The next reading by event time. `previous` is the time of the reading before it."""
    facts: list[Fact] = []
    if now.phase == "pending":
        now = _ripen_before(timing, now, reading, previous, facts)
    if now.phase in ("idle", "pending"):
        return _watch(timing, now, reading, facts), facts
    return _follow(timing, now, reading, facts), facts


def ripen(timing: Timing, now: Snapshot, last: datetime, until: datetime) -> tuple[Snapshot, list[Fact]]:
    """Time alone: a condition pending since long enough opens, without a new reading. `last` is the newest reading."""
    if now.phase != "pending" or now.since is None:
        return now, []
    ripe = now.since + timing.lasting
    if ripe > until or (timing.hold is not None and ripe > last + timing.hold):
        return now, []
    facts: list[Fact] = []
    return _open(timing, ripe, now.row or {}, facts), facts


def release(now: Snapshot) -> tuple[Snapshot, list[Fact]]:
    """A person released a latched alarm: a quiet one is over, an open one will clear like any other."""
    if now.episode is None:
        return now, []
    if now.phase != "quiet" or now.episode.quiet_at is None:
        return msgspec.structs.replace(now, episode=msgspec.structs.replace(now.episode, released=True)), []
    closed = msgspec.structs.replace(now.episode, released=True, cleared_at=now.episode.quiet_at)
    return IDLE, [Fact("cleared", now.episode.quiet_at, closed, now.row or {})]


def _ripen_before(
    timing: Timing, now: Snapshot, reading: Reading, previous: datetime | None, facts: list[Fact]
) -> Snapshot:
    since = now.since or reading.at
    ripe = since + timing.lasting
    held_until = reading.at if timing.hold is None or previous is None else min(reading.at, previous + timing.hold)
    if ripe < reading.at and ripe <= held_until:
        return _open(timing, ripe, now.row or {}, facts)
    if held_until < reading.at:  # a gap: nobody knows whether it lasted
        return IDLE
    return now


def _watch(timing: Timing, now: Snapshot, reading: Reading, facts: list[Fact]) -> Snapshot:
    if reading.when is not True:
        return IDLE
    since = now.since or reading.at
    if reading.at - since >= timing.lasting:
        return _open(timing, reading.at, reading.row | {"#level": reading.level}, facts)
    return Snapshot("pending", since=since, row=reading.row | {"#level": reading.level})


def _open(timing: Timing, at: datetime, row: Row, facts: list[Fact]) -> Snapshot:
    # An alarm is never lost because its level cannot be calculated: it opens at the lowest.
    level = timing.known_level(row.get("#level")) or timing.lowest
    episode = Episode(opened_at=at, level=level, peak=level)
    facts.append(Fact("opened", at, episode, row))
    return Snapshot("open", episode=episode, row=row)


def _follow(timing: Timing, now: Snapshot, reading: Reading, facts: list[Fact]) -> Snapshot:
    episode = now.episode
    if episode is None:
        raise AssertionError("an open alarm has an episode")
    if reading.when is True:
        return _still_on(timing, now, episode, reading, facts)
    if now.phase == "quiet":
        return now
    if reading.clear is not True:
        return msgspec.structs.replace(now, clearing=None)
    clearing = now.clearing or reading.at
    if reading.at - clearing < timing.clear_lasting:
        return msgspec.structs.replace(now, clearing=clearing)
    # A reading that was on its way when time alone opened the alarm may be older than the opening.
    at = max(reading.at, episode.opened_at)
    if timing.latched and not episode.released:
        quiet = msgspec.structs.replace(episode, quiet_at=at)
        facts.append(Fact("quiet", at, quiet, reading.row))
        return Snapshot("quiet", episode=quiet, row=now.row)
    closed = msgspec.structs.replace(episode, cleared_at=at)
    facts.append(Fact("cleared", at, closed, reading.row))
    return IDLE


def _still_on(timing: Timing, now: Snapshot, episode: Episode, reading: Reading, facts: list[Fact]) -> Snapshot:
    row = reading.row | {"#level": reading.level}
    level = timing.known_level(reading.level) or episode.level
    rank, before = timing.ranks[level], timing.ranks[episode.level]
    peak = max(episode.peak, level, key=lambda one: timing.ranks[one])
    if now.phase == "open" and now.clearing is None and level == episode.level:
        return now  # nothing new: the state of a long alarm is not written again with every reading
    changed = msgspec.structs.replace(episode, level=level, peak=peak, quiet_at=None)
    if now.phase == "quiet":
        facts.append(Fact("active", reading.at, changed, row))
    elif rank != before:
        facts.append(Fact("raised" if rank > before else "lowered", reading.at, changed, row))
    return Snapshot("open", episode=changed, row=row)
