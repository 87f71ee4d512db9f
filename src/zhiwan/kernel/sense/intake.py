"""Intake: from stored messages to observations with flags, set-aside values and counts.

The way of a message: size → sender → decode → time door (−7 days … +5 minutes of its receipt) → names, kinds and units
→ duplicates and flags (checks.py). One bad value never costs the good ones beside it. Everything is judged by the time
of receipt, never by the time of processing, so a batch taken again gives the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from zhiwan.kernel.bus.messages import Message
from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.sense import checks
from zhiwan.kernel.sense.checks import Seen
from zhiwan.kernel.sense.decoders import senml, telemetry
from zhiwan.kernel.sense.decoders.reading import Decoded, Reading, microseconds
from zhiwan.kernel.sense.decoders.strict_json import MOST_BYTES, Unreadable, parse, show
from zhiwan.kernel.sense.memory import IntakeMemory
from zhiwan.kernel.sense.reasons import DUPLICATE, TAKEN, Problem, SetAside, cut, set_aside
from zhiwan.kernel.sense.values import ValueRefused, resolve
from zhiwan.kernel.sense.vocabulary import Vocabulary

OLDEST = timedelta(days=7)
NEWEST = timedelta(minutes=5)
_OLDEST_US, _NEWEST_US = OLDEST // timedelta(microseconds=1), NEWEST // timedelta(microseconds=1)
_ROW_KEYS = {"device", "at", "values"}
#: Of one message so many problems are shown one by one; all are counted.
MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """For whom a device speaks."""

    entity: str
    type: str


@dataclass(frozen=True)
class Taken:
    """What a batch became. `counts` are values by outcome: `taken`, `DUPLICATE` or the code of a reason."""

    observations: pl.DataFrame
    set_aside: list[SetAside]
    counts: dict[str, int]


class Intake:
    """Knows the types of the packs and the devices of the registry; make a new one when either changes."""

    def __init__(
        self,
        types: PackSet,
        devices: Mapping[str, DeviceInfo],
        seen: Seen | None = None,
        concerns: Callable[[str], bool] | None = None,
    ) -> None:
        """`seen` asks the lake for identities that are no longer in memory (Lake.seen).

        `concerns` says of a device that is not known here whether it is our business: messages of another space's
        devices are passed over without a word.
        """
        self.devices = devices
        self._concerns = concerns or (lambda device: True)
        self._words = Vocabulary(types)
        self._seen = seen

    def take(self, messages: Sequence[Message], memory: IntakeMemory, now: datetime) -> Taken:
        """One batch in stream order. `now` is when it is taken; nothing in the result depends on it."""
        batch = _Batch()
        for message in messages:
            self._read(message, batch)
        points = self._points(batch)
        observations, duplicates = checks.check(points, memory, self._seen)
        batch.counts[TAKEN] = observations.height
        batch.counts[DUPLICATE] = duplicates
        # Names unknown to a type were found after all messages were read: back into the order of the stream.
        kept = sorted(batch.set_aside, key=lambda one: one.seq)
        return Taken(observations, kept, {code: count for code, count in batch.counts.items() if count})

    def examine(self, device: str, reading: Reading, received: int) -> tuple[dict[str, float], list[Problem]]:
        """Good values of one reading in their properties' units, and what is wrong with the others."""
        info = self.devices.get(device)
        if info is None:
            return {}, [Problem("UNKNOWN_DEVICE", "", show(dict(reading.values)), device)]
        if refused := door(reading.at, received):
            return {}, [Problem(refused, "", show(dict(reading.values)), _moment(reading.at).isoformat())]
        good: dict[str, float] = {}
        problems: list[Problem] = []
        for name, raw in reading.values:
            declared = self._words.property(info.type, name)
            if declared is None:
                problems.append(Problem("UNKNOWN_PROPERTY", name, show(raw), name))
            elif declared.derived:
                problems.append(Problem("DERIVED_PROPERTY", name, show(raw), name))
            else:
                try:
                    good[name] = resolve(raw, declared)
                except ValueRefused as refusal:
                    problems.append(Problem(refusal.code, name, show(raw), refusal.detail))
        return good, problems

    # -- one message -----------------------------------------------------------------------------------------------

    def _read(self, message: Message, batch: _Batch) -> None:
        parts = message.subject.split(".")
        sender, kind = (parts[-2], parts[-1]) if parts[0] == "$MQTT" else ("", "rows")
        received = microseconds(message.received_at)
        if sender and sender not in self.devices and not self._concerns(sender):
            return
        if sender and kind == "answers":  # to commands: the door reads them
            return
        if len(message.payload) > MOST_BYTES:
            detail = f"{len(message.payload)} > {MOST_BYTES} bytes"
            batch.refuse(
                message.seq, sender, Problem("TOO_LARGE", "", cut(message.payload), detail), message.received_at
            )
        elif kind == "telemetry":
            self._read_telemetry(message, sender, received, batch)
        elif kind == "senml":
            self._read_senml(message, sender, received, batch)
        elif kind == "rows":
            self._read_rows(message, received, batch)
        else:
            problem = Problem("MALFORMED", "", cut(message.payload), f"devices/…/{kind}")
            batch.refuse(message.seq, sender, problem, message.received_at)

    def _read_telemetry(self, message: Message, device: str, received: int, batch: _Batch) -> None:
        info = self.devices.get(device)
        if info is None:
            problem = Problem("UNKNOWN_DEVICE", "", cut(message.payload), device)
            batch.refuse(message.seq, device, problem, message.received_at)
            return
        fast = telemetry.decode_fast(message.payload)
        if fast is None or any(one[2] or door(one[0], received) for one in fast):
            self._take_decoded(message, device, telemetry.decode(message.payload), received, batch)
            return
        for at, values, _ in fast:
            batch.add(message.seq, device, info, received if at is None else at, received, values)

    def _read_senml(self, message: Message, device: str, received: int, batch: _Batch) -> None:
        if device not in self.devices:
            problem = Problem("UNKNOWN_DEVICE", "", cut(message.payload), device)
            batch.refuse(message.seq, device, problem, message.received_at)
            return
        decoded, owners = senml.decode(message.payload, received)
        kept: list[Reading] = []
        for reading, owner in zip(decoded.readings, owners, strict=True):
            # The broker vouches for the topic, not for names inside. A name that is its own business (a URN, a serial
            # number) is fine; one that is another registered device is not.
            named = owner.replace(":", "/").rpartition("/")[2]
            if named != device and named in self.devices:
                shown = show(dict(reading.values))
                decoded.problems.append(Problem("UNKNOWN_DEVICE", reading.values[0][0], shown, f"{device} ≠ {named}"))
            else:
                kept.append(reading)
        decoded.readings = kept
        self._take_decoded(message, device, decoded, received, batch)

    def _read_rows(self, message: Message, received: int, batch: _Batch) -> None:
        """Rows of the HTTP door: one reading a line, each with its device."""
        for line in message.payload.splitlines():
            fast = telemetry.decode_fast(line) if line[:1] == b"{" else None
            if fast is not None:
                ((at, values, device),) = fast
                info = self.devices.get(device)
                if info is not None and not door(at, received):
                    batch.add(message.seq, device, info, received if at is None else at, received, values)
                    continue
            device, decoded = decode_row(line)
            if device not in self.devices and not self._concerns(device):
                continue
            self._take_decoded(message, device, decoded, received, batch)

    def _take_decoded(self, message: Message, device: str, decoded: Decoded, received: int, batch: _Batch) -> None:
        """The slow way: every value looked at by itself."""
        for problem in decoded.problems:
            batch.refuse(message.seq, device, problem, message.received_at if problem.code == "EXTRA_FIELD" else None)
        for reading in decoded.readings:
            good, problems = self.examine(device, reading, received)
            at = received if reading.at is None else reading.at
            for problem in problems:
                batch.refuse(message.seq, device, problem, _moment(at))
            if good:
                batch.add(message.seq, device, self.devices[device], at, received, good)

    # -- all messages ----------------------------------------------------------------------------------------------

    def _points(self, batch: _Batch) -> pl.DataFrame:
        """The batch as columns, without values whose names their type does not declare."""
        row = np.repeat(np.arange(len(batch.sizes)), np.array(batch.sizes, np.int64))
        readings = pl.DataFrame(
            {
                "entity": batch.entities, "type": batch.types, "source": batch.devices,
                "seq": batch.seqs, "at": batch.ats, "received": batch.receiveds,
            },
            schema_overrides={"entity": pl.String, "type": pl.String, "source": pl.String},
        ).cast({"seq": pl.Int64, "at": pl.Int64, "received": pl.Int64})  # fmt: skip
        points = readings[row].with_columns(
            pl.Series("property", batch.names, dtype=pl.String),
            pl.Series("value", np.array(batch.values, np.float64) + 0.0),  # -0.0 and 0.0 are one value
        )
        points = points.join(self._words.limits, on=["type", "property"], how="left", maintain_order="left")
        refused = points.filter(pl.col("derived").fill_null(True))
        for point in refused.iter_rows(named=True):
            code = "UNKNOWN_PROPERTY" if point["derived"] is None else "DERIVED_PROPERTY"
            problem = Problem(code, point["property"], str(point["value"]), point["property"])
            batch.refuse(point["seq"], point["source"], problem, _moment(point["at"]))
        return points.filter(~pl.col("derived").fill_null(True)).select(*checks.POINT_SCHEMA)


class _Batch:
    """Lists that grow while messages are read: one entry per reading, one per value."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.devices: list[str] = []
        self.entities: list[str] = []
        self.types: list[str] = []
        self.ats: list[int] = []
        self.receiveds: list[int] = []
        self.sizes: list[int] = []
        self.names: list[str] = []
        self.values: list[float] = []
        self.set_aside: list[SetAside] = []
        self.counts: Counter[str] = Counter()
        self._problems: Counter[int] = Counter()

    def add(self, seq: int, device: str, info: DeviceInfo, at: int, received: int, values: dict[str, float]) -> None:
        self.seqs.append(seq)
        self.devices.append(device)
        self.entities.append(info.entity)
        self.types.append(info.type)
        self.ats.append(at)
        self.receiveds.append(received)
        self.sizes.append(len(values))
        self.names.extend(values)
        self.values.extend(values.values())

    def refuse(self, seq: int, device: str, problem: Problem, at: datetime | None) -> None:
        self.counts[problem.code] += 1
        self._problems[seq] += 1
        if self._problems[seq] <= MOST_PROBLEMS:
            self.set_aside.append(set_aside(problem, seq, device, at))


def decode_row(line: bytes) -> tuple[str, Decoded]:
    """One row of the HTTP door, read slowly: its device and what it says."""
    try:
        entry = parse(line)
    except Unreadable as problem:
        return "", Decoded(problems=[Problem("MALFORMED", "", cut(line), str(problem))])
    return read_row(entry)


def read_row(entry: Any) -> tuple[str, Decoded]:
    """The same of a parsed row."""
    decoded = Decoded()
    device = entry.get("device") if isinstance(entry, dict) else None
    if isinstance(entry, dict) and not isinstance(device, str):
        decoded.problems.append(Problem("MALFORMED", "", show(entry), '"device" is missing'))
        return "", decoded
    telemetry.read_entry(entry, _ROW_KEYS, decoded)
    return device or "", decoded


def door(at: int | None, received: int) -> str | None:
    """The code of the refusal, if the time lies outside what a live door takes."""
    if at is None:
        return None
    if at < received - _OLDEST_US:
        return "TOO_OLD"
    return "TOO_NEW" if at > received + _NEWEST_US else None


def _moment(at: int | None) -> datetime:
    moment = pl.Series([at or 0], dtype=pl.Int64).cast(UTC_US).item()
    assert isinstance(moment, datetime)  # noqa: S101 (a cast never gives another kind)
    return moment
