"""What is remembered of one rule at one entity, and how late data corrects it without alarming twice.

In order, a reading is one step of machine.py. A late reading goes back to how things stood before its time (`trail`),
folds all readings since then again, and compares the alarms that come out with those that were told: an alarm that
overlaps a told one *is* that alarm. What differs is told as `corrected`; what is new is opened; what never was is
withdrawn.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from zhiwan.kernel.judge.machine import IDLE, Episode, Fact, Reading, Row, Snapshot, Timing, ripen, step


class Tracked(msgspec.Struct):
    """Present, recent past and past alarms of one rule at one entity; bounded by the rule's lateness."""

    now: Snapshot = IDLE
    trail: list[tuple[datetime, Snapshot]] = []  # (time of a reading that changed things, how they stood before it)
    past: list[Episode] = []  # told and over, but late data may still change them
    pieces: list[Episode] = []  # where late data showed pauses in told alarms: what lies before the last pause
    ticked: datetime | None = None  # time alone has acted up to here
    withdrawn: list[Episode] = []  # told, and shown by late data never to have been: it may come back the same way

    def is_forgettable(self) -> bool:
        over = not self.trail and not self.past and not self.pieces and not self.withdrawn
        return self.now.phase == "idle" and over

    def prune(self, before: datetime) -> None:
        """Forget what no admissible late reading can reach."""
        if self.trail and self.trail[0][0] < before:
            self.trail = [entry for entry in self.trail if entry[0] >= before]
        if self.past:
            self.past = [one for one in self.past if one.cleared_at is None or one.cleared_at >= before]
        if self.pieces:
            self.pieces = [one for one in self.pieces if one.cleared_at is None or one.cleared_at >= before]
        if self.withdrawn:
            self.withdrawn = [one for one in self.withdrawn if one.opened_at >= before]


def advance(
    timing: Timing, tracked: Tracked, reading: Reading, previous: datetime | None, lateness: timedelta
) -> list[Fact]:
    """The next reading in order."""
    after, facts = step(timing, tracked.now, reading, previous)
    _move(tracked, reading.at, after, facts)
    tracked.prune(reading.at - lateness)
    return facts


def pass_time(timing: Timing, tracked: Tracked, last: datetime, now: datetime) -> list[Fact]:
    """Time passes without a reading; `last` is the newest one."""
    after, facts = ripen(timing, tracked.now, last, now)
    if facts:
        _move(tracked, facts[0].at, after, facts)
        tracked.ticked = now
    return facts


def _move(tracked: Tracked, at: datetime, after: Snapshot, facts: list[Fact]) -> None:
    if after.shape() != tracked.now.shape():
        tracked.trail = [*tracked.trail, (at, tracked.now)]
    tracked.now = after
    closed = [fact.episode for fact in facts if fact.kind == "cleared"]
    if closed:
        tracked.past = [*tracked.past, *closed]


def correct(timing: Timing, tracked: Tracked, readings: list[Reading], previous: datetime | None) -> list[Fact]:
    """A late reading, with all readings since its time (one per instant, earliest first; the late one leads)."""
    since = readings[0].at
    cut = next((i for i, (at, _) in enumerate(tracked.trail) if at >= since), len(tracked.trail))
    base = tracked.trail[cut][1] if cut < len(tracked.trail) else tracked.now
    again = Tracked(now=base, trail=tracked.trail[:cut])
    facts: list[Fact] = []
    for reading in readings:
        after, found = step(timing, again.now, reading, previous)
        _move(again, reading.at, after, found)
        facts += found
        previous = reading.at
    if tracked.ticked is not None:
        after, found = ripen(timing, again.now, readings[-1].at, tracked.ticked)
        if found:
            _move(again, found[0].at, after, found)
            facts += found
    told = [one for one in tracked.past if one.cleared_at is None or one.cleared_at >= since]
    kept = [one for one in tracked.past if one not in told]
    if tracked.now.episode is not None:
        told.append(tracked.now.episode)
    rows = {fact.episode.opened_at: fact.row for fact in facts if fact.kind not in ("cleared", "quiet")}
    return _reconcile(timing, tracked, again, told, kept, _Rows(rows, again.now.row or readings[0].row), since)


class _Rows:
    """The reading that a message about an episode should quote."""

    def __init__(self, by_opening: dict[datetime, Row], otherwise: Row) -> None:
        self.by_opening, self.otherwise = by_opening, otherwise

    def of(self, episode: Episode) -> Row:
        return self.by_opening.get(episode.opened_at, self.otherwise)


def _reconcile(
    timing: Timing, tracked: Tracked, again: Tracked, told: list[Episode], kept: list[Episode], rows: _Rows,
    since: datetime,
) -> list[Fact]:  # fmt: skip
    found = [*again.past, *([again.now.episode] if again.now.episode else [])]
    facts: list[Fact] = []
    closed = list(kept)
    pieces = [one for one in tracked.pieces if one.cleared_at is not None and one.cleared_at < since]
    for old in told:
        before = [one for one in pieces if one.id == old.id]
        after = [one for one in found if (one.id == old.id if one.id else _overlap(one, old))]
        found = [one for one in found if one not in after]
        same = before + after
        if not same:
            gone = msgspec.structs.replace(old, cleared_at=old.cleared_at or old.opened_at)
            tracked.withdrawn = [*(one for one in tracked.withdrawn if one.opened_at != gone.opened_at), gone]
            facts.append(Fact("corrected", since, gone, rows.otherwise, withdrawn=True))
            if old.cleared_at is None:
                facts.append(Fact("cleared", old.opened_at, gone, rows.otherwise, withdrawn=True))
            continue
        merged = _merged(timing, old, same, since)
        pieces += [msgspec.structs.replace(one, id=old.id) for one in after[:-1]]
        if again.now.episode is same[-1]:
            again.now = msgspec.structs.replace(again.now, episode=merged)
        else:
            closed.append(merged)
        if _differs(old, merged):
            facts.append(Fact("corrected", since, merged, rows.of(same[-1])))
            if merged.cleared_at is not None and old.cleared_at is None:
                facts.append(Fact("cleared", merged.cleared_at, merged, rows.of(same[-1])))
    for new in found:
        opened = msgspec.structs.replace(new, cleared_at=None, quiet_at=None)
        facts.append(Fact("opened", new.opened_at, opened, rows.of(new)))
        if new.quiet_at is not None and new.cleared_at is None:
            facts.append(Fact("quiet", new.quiet_at, new, rows.of(new)))
        if new.cleared_at is not None:
            facts.append(Fact("cleared", new.cleared_at, new, rows.of(new)))
            closed.append(new)
    tracked.now, tracked.trail, tracked.past, tracked.pieces = again.now, again.trail, closed, pieces
    return facts


def _overlap(one: Episode, other: Episode) -> bool:
    return (other.cleared_at is None or one.opened_at <= other.cleared_at) and (
        one.cleared_at is None or other.opened_at <= one.cleared_at
    )


def _merged(timing: Timing, old: Episode, same: list[Episode], since: datetime) -> Episode:
    """The told alarm as it now looks: one alarm, even if late data shows a pause within it."""
    last = same[-1]
    untouched = [old.opened_at] if old.opened_at < since else []  # nothing before the late reading has changed
    return msgspec.structs.replace(
        last,
        opened_at=min([*untouched, *(one.opened_at for one in same)]),
        peak=max((one.peak for one in same), key=lambda level: timing.ranks[level]),
        id=old.id,
        steps=old.steps,
        message=old.message,
        released=old.released or last.released,
    )


def _differs(old: Episode, new: Episode) -> bool:
    def seen(one: Episode) -> tuple[object, ...]:
        return one.opened_at, one.cleared_at, one.quiet_at, one.level, one.peak

    return seen(old) != seen(new)
