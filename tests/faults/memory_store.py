"""The pipeline's store in memory: all of a batch or nothing, a second commit of the same batch changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zhiwan.kernel.judge import AlarmEvent, StateRow
from zhiwan.kernel.sense import SetAside
from zhiwan.run.worker.outbox import KIND, unpack
from zhiwan.run.worker.pipeline import CLOCK, Cursor, Remembered, Work


@dataclass
class MemoryStore:
    """What PostgreSQL would hold."""

    cursors: dict[str, Cursor] = field(default_factory=dict)
    judge: dict[tuple[str, str], bytes] = field(default_factory=dict)
    intake: dict[tuple[str, str], bytes] = field(default_factory=dict)
    events: list[AlarmEvent] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    latest: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)  # observed_at, recorded_at, value

    def load(self) -> Remembered:
        parcels = [unpack(key, body) for (kind, key), body in self.judge.items() if kind == KIND]
        return Remembered(
            cursors=dict(self.cursors),
            judge_rows=[StateRow(kind, key, body) for (kind, key), body in self.judge.items() if kind != KIND],
            intake_rows=[StateRow(kind, key, body) for (kind, key), body in self.intake.items()],
            parcels=sorted(parcels, key=lambda parcel: parcel.key),
        )

    def commit(self, work: Work) -> Any:
        if work.stream != CLOCK:
            known = self.cursors.get(work.stream)
            assert known is None or known.created != work.created or known.seq < work.seq, "committed twice"
            self.cursors[work.stream] = Cursor(work.created, work.seq)
        for kept, rows in ((self.judge, work.judge_rows), (self.intake, work.intake_rows)):
            for row in rows:
                if row.body is None:
                    kept.pop((row.kind, row.key), None)
                else:
                    kept[row.kind, row.key] = row.body
        self._take_latest(work)
        self.events += work.events
        self.set_aside += work.set_aside
        return None

    def _take_latest(self, work: Work) -> None:
        if work.latest is None:
            return
        for row in work.latest.select("entity", "property", "observed_at", "recorded_at", "seq", "value").rows():
            key, told = row[:2], row[2:]
            if told[:3] >= self.latest.get(key, told)[:3]:
                self.latest[key] = told

    def releases(self) -> Sequence[str]:
        return ()

    def announce(self, changes: Any) -> None:
        pass
