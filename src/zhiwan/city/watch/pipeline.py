"""One batch of the stream becomes rows, in one transaction: the worker's only way to write.

    commit_batch(stream=, created=, seq=, observations=, derived=, events=, judge_rows=, intake_rows=, set_aside=,
                 counts=, now=) -> Changes
    cursor_of(stream) -> Cursor | None                  where the last committed batch of a stream ended
    load_state(owner) -> list[(kind, key, body)]        owner: "judge" or "intake"
    take_releases() -> list[alarm_id]                   latched alarms that people acknowledged; call, then commit_batch
    save_indicators(frame)                              current vital signs

Everything of a batch (cursor, latest values, state of rules and intake, alarms, refused values, counters, and the jobs
that follow) commits together or not at all, and a batch at or below the cursor is dropped whole. So a crash at any
point repeats a batch, never half of it. `stream=None` is the ticker's batch: it has no cursor, its events carry their
own identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import polars as pl
from django.db import connection

from zhiwan.city.people.acting import acting_system, current_space
from zhiwan.city.sql.arrays import pg_array
from zhiwan.city.watch import hints
from zhiwan.city.watch.alarm_life import apply_events
from zhiwan.city.watch.follow_up import follow_alarms

SINK = "postgres"
#: Which door a stream's messages came through, for the counters people read.
DOORS = {"$MQTT_msgs": "mqtt", "INTAKE": "http"}

_ADVANCE = """
-- advance_cursor: one row back when the batch is new; none when this stream was committed up to here before
INSERT INTO watch_streamcursor AS c (stream, sink, created, seq) VALUES (%s, %s, %s, %s)
ON CONFLICT (space, stream, sink) DO UPDATE SET created = excluded.created, seq = excluded.seq
WHERE c.created <> excluded.created OR c.seq < excluded.seq
RETURNING 1
"""
_LATEST = """
-- upsert_latest: the newest reading by observed_at wins; of equal ones the later recorded (a correction)
INSERT INTO watch_latestvalue AS l (entity_id, property, observed_at, value, quality, source, recorded_at, town)
SELECT n.entity, n.property, n.observed_at, n.value, n.quality, n.source, n.recorded_at, e.town
FROM (SELECT entity, property, timestamptz 'epoch' + observed * interval '1 microsecond' AS observed_at, value, quality,
             source, timestamptz 'epoch' + recorded * interval '1 microsecond' AS recorded_at
      FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::float8[], %s::int[], %s::text[], %s::bigint[])
           AS n(entity, property, observed, value, quality, source, recorded)) AS n
JOIN registry_entity e ON e.id = n.entity
ON CONFLICT (entity_id, property) DO UPDATE SET observed_at = excluded.observed_at, value = excluded.value,
    quality = excluded.quality, source = excluded.source, recorded_at = excluded.recorded_at, town = excluded.town
WHERE (excluded.observed_at, excluded.recorded_at) >= (l.observed_at, l.recorded_at)
RETURNING entity_id, property, (extract(epoch FROM observed_at) * 1000)::bigint, value, quality, town
"""
_STATE = """
-- save_state: what rules and intake remember
INSERT INTO watch_judgestate (kind, key, body)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[])
ON CONFLICT (space, kind, key) DO UPDATE SET body = excluded.body
"""
_FORGET = """
-- forget_state: rows the kernel has no use for any more
DELETE FROM watch_judgestate s USING unnest(%s::text[], %s::text[]) n(kind, key) WHERE (s.kind, s.key) = (n.kind, n.key)
"""
_SET_ASIDE = """
-- keep_set_aside: refused values with their device's entity and town, where the device is known
INSERT INTO watch_setaside (seq, stream, device, entity, town, property, raw, code, reason_zh, reason_en, hint_zh,
                            hint_en, observed_at, received_at, state, note)
SELECT n.seq, %s, n.device, coalesce(d.entity_id, ''), coalesce(d.town, ''), n.property, n.raw, n.code, n.reason_zh,
       n.reason_en, n.hint_zh, n.hint_en, n.at, %s, 'open', ''
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::timestamptz[])
     AS n(seq, device, property, raw, code, reason_zh, reason_en, hint_zh, hint_en, at)
LEFT JOIN registry_device d ON d.id = n.device
"""
_COUNT = """
-- add_counts: per hour, door and outcome
INSERT INTO watch_doorcounter AS c (hour, door, code, count)
SELECT %s, %s, n.code, n.count FROM unnest(%s::text[], %s::bigint[]) AS n(code, count)
ON CONFLICT (space, hour, door, code) DO UPDATE SET count = c.count + excluded.count
"""
_INDICATORS = """
-- save_indicators: current vital signs
INSERT INTO watch_indicatornow (indicator, area, value, n, stale, at, band)
SELECT * FROM unnest(%s::text[], %s::text[], %s::float8[], %s::int[], %s::int[], %s::timestamptz[], %s::smallint[])
ON CONFLICT (space, indicator, area) DO UPDATE SET value = excluded.value, n = excluded.n, stale = excluded.stale,
    at = excluded.at, band = excluded.band
"""
RAW_LENGTH = 2000  # of a refused value that is kept; enough to see what it was


class StateRow(Protocol):
    """A row of remembered state as the kernel gives it; body None: forget it."""

    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def body(self) -> bytes | None: ...


@dataclass(frozen=True)
class Cursor:
    """Where a stream was committed up to."""

    created: str
    seq: int


@dataclass(frozen=True)
class Changes:
    """What open pages may want to know. `fresh` is False when the batch had been committed before."""

    fresh: bool
    hints: list[dict[str, Any]] = field(default_factory=list)


def cursor_of(stream: str) -> Cursor | None:
    """The last committed position of a stream; None before the first batch."""
    with acting_system("worker"), connection.cursor() as cursor:
        cursor.execute("SELECT created, seq FROM watch_streamcursor WHERE stream = %s AND sink = %s", [stream, SINK])
        row = cursor.fetchone()
    return Cursor(*row) if row else None


def load_state(owner: str) -> list[tuple[str, str, bytes]]:
    """Everything `owner` ("judge", "intake") saved, as it saved it."""
    with acting_system("worker"), connection.cursor() as cursor:
        cursor.execute("SELECT kind, key, body FROM watch_judgestate WHERE starts_with(kind, %s)", [f"{owner}:"])
        return [(kind[len(owner) + 1 :], key, bytes(body)) for kind, key, body in cursor.fetchall()]


def take_releases() -> list[str]:
    """Latched alarms that were acknowledged. They stay listed until the judge's `cleared` event is committed."""
    with acting_system("worker"), connection.cursor() as cursor:
        cursor.execute("SELECT alarm_id FROM watch_releaserequest ORDER BY at, alarm_id")
        return [id for (id,) in cursor.fetchall()]


def commit_batch(
    *,
    stream: str | None,
    created: str | datetime = "",
    seq: int = 0,
    observations: pl.DataFrame | None = None,
    derived: pl.DataFrame | None = None,
    events: Sequence[Any] = (),
    judge_rows: Iterable[StateRow] = (),
    intake_rows: Iterable[StateRow] = (),
    set_aside: Sequence[Any] = (),
    counts: Mapping[str, int] | None = None,
    now: datetime,
) -> Changes:
    """Commit one batch; see the module's text. `counts` are readings by outcome (`taken`, or a reason's code)."""
    with acting_system("worker"), connection.cursor() as cursor:
        if stream is not None:
            cursor.execute(_ADVANCE, [stream, SINK, str(created), seq])
            if cursor.fetchone() is None:
                return Changes(fresh=False)
        told = _save_latest(cursor, [frame for frame in (observations, derived) if frame is not None and len(frame)])
        _save_state(cursor, "judge", judge_rows)
        _save_state(cursor, "intake", intake_rows)
        _save_set_aside(cursor, stream or "", set_aside, now)
        _add_counts(cursor, DOORS.get(stream or "", "ticker"), counts or {}, now)
        applied = apply_events(events)
        follow_alarms(applied)
        told += [hints.of_alarm(one) for one in applied]
        if set_aside:
            told.append({"kind": "set_aside", "town": "", "space": current_space(), "n": len(set_aside)})
    return Changes(fresh=True, hints=told)


def _save_latest(cursor: Any, frames: list[pl.DataFrame]) -> list[dict[str, Any]]:
    """Only the newest reading of each property goes to the database: a batch may hold many of one device."""
    if not frames:
        return []
    rows = frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical_relaxed")
    newest = (
        rows.sort("observed_at", "recorded_at", "seq", maintain_order=True)
        .unique(["entity", "property"], keep="last", maintain_order=True)
        # A number is read by the database ten times faster than a written time.
        .with_columns(pl.col("observed_at", "recorded_at").dt.epoch("us"))
    )
    columns = ("entity", "property", "observed_at", "value", "quality", "source", "recorded_at")
    cursor.execute(_LATEST, [pg_array(newest[name]) for name in columns])
    return [hints.of_value(*row) for row in cursor.fetchall()]


def _save_state(cursor: Any, owner: str, rows: Iterable[StateRow]) -> None:
    kept: dict[tuple[str, str], bytes | None] = {(f"{owner}:{row.kind}", row.key): row.body for row in rows}
    saved = [(kind, key, body) for (kind, key), body in kept.items() if body is not None]
    gone = [pair for pair, body in kept.items() if body is None]
    if saved:
        columns = zip((pl.String(), pl.String(), pl.Binary()), zip(*saved, strict=True), strict=True)
        cursor.execute(_STATE, [pg_array(pl.Series(values, dtype=dtype)) for dtype, values in columns])
    if gone:
        cursor.execute(_FORGET, [list(column) for column in zip(*gone, strict=True)])


def _save_set_aside(cursor: Any, stream: str, rows: Sequence[Any], now: datetime) -> None:
    if not rows:
        return
    names = ("seq", "device", "property", "raw", "code", "reason_zh", "reason_en", "hint_zh", "hint_en", "at")
    columns = [[_plain(name, getattr(row, name)) for row in rows] for name in names]
    cursor.execute(_SET_ASIDE, [stream, now, *columns])


def _plain(name: str, value: Any) -> Any:
    """PostgreSQL keeps no NUL in a text; a device may send one."""
    if name in ("seq", "at"):
        return value
    return str("" if value is None else value).replace("\x00", "␀")[:RAW_LENGTH]


def _add_counts(cursor: Any, door: str, counts: Mapping[str, int], now: datetime) -> None:
    wanted = {code: count for code, count in counts.items() if count}
    if wanted:
        hour = now.replace(minute=0, second=0, microsecond=0)
        cursor.execute(_COUNT, [hour, door, list(wanted), list(wanted.values())])


def save_indicators(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Current vital signs (columns indicator, area, value, n, stale, at[, band]); hints for pages.

    `at` is the newest reading used; an area whose readings are all stale has neither value nor `at`.
    """
    if not len(frame):
        return []
    if "band" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.Int16).alias("band"))
    names = ("indicator", "area", "value", "n", "stale", "at", "band")
    rows = frame.select(names)
    with acting_system("worker"), connection.cursor() as cursor:
        cursor.execute(_INDICATORS, [pg_array(rows[name]) for name in names])
    return [hints.of_indicator(row) for row in rows.iter_rows(named=True)]
