"""The data area: `DataTime=…;a01006-Avg=101.85,a01006-Flag=N;…`, and messages that come in several packets.

A factor is a code of HJ 524, HJ 525 or the standard's own table; its fields are the real-time value (Rtd), the mean of
the period (Avg), its extremes (Min, Max) and so on. Which of them is which property is told by a table from outside.
The data flag says whether the instrument stands behind the value: only N (normal) does, everything else is set aside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from zhiwan.kernel.sense.decoders.hj212.frames import Damaged
from zhiwan.kernel.sense.decoders.hj212.packet import Packet
from zhiwan.kernel.sense.decoders.reading import NotFinite, Quantity, Reading, microseconds
from zhiwan.kernel.sense.reasons import Problem

NORMAL = "N"
#: Data flags of HJ 212-2017 that are not N: shown beside the value that is set aside.
FLAGS = {
    "F": "停运 / out of operation",
    "M": "维护 / maintenance",
    "S": "手工输入 / entered by hand",
    "D": "故障 / fault",
    "C": "校准 / calibration",
    "T": "超测量上限 / above the measuring range",
    "B": "通讯异常 / communication fault",
}
#: Fields beside the value that are left out by name: extremes of the period, counts, the instrument's own flag.
IGNORED = {"Min", "Max", "ZsMin", "ZsMax", "Flag", "EFlag", "SampleTime", "ValidNum", "TotalNum"}
#: Messages of one connection whose packets are awaited at the same time.
MOST_MESSAGES = 16
_TIME = re.compile(r"(19[7-9][0-9]|2[0-9]{3})[0-9]{10}", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf(inity)?)", re.ASCII | re.IGNORECASE)


class Target(NamedTuple):
    """What a factor's field is for one type of entity, and the unit the factor is sent in."""

    property: str
    unit: str | None


@dataclass
class Content:
    """A data area: its time (µs), and the fields of each factor as they were written."""

    at: int | None = None
    factors: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_content(cp: str, zone: tzinfo) -> Content:
    """Everything a data area says; times without zone are those of `zone`."""
    content = Content()
    contradicted: set[tuple[str, str]] = set()
    for item in re.split(r"[;,]", cp):
        if not item.strip():
            continue
        name, equals, value = item.partition("=")
        code, dash, kind = name.partition("-")
        if not equals:
            content.problems.append(Problem("FRAME_FIELDS", "", item, item))
        elif name == "DataTime":
            _take_time(content, value, zone)
        elif dash and code and kind:
            fields = content.factors.setdefault(code, {})
            if fields.setdefault(kind, value) != value:
                contradicted.add((code, kind))
        # Names without a factor (BeginTime, RestartTime …) describe the message, not the air or the water.
    for code, kind in sorted(contradicted):
        shown = f"{code}-{kind}"
        content.problems.append(Problem("FRAME_FIELDS", shown, cp, shown))
        del content.factors[code][kind]
    return content


def _take_time(content: Content, value: str, zone: tzinfo) -> None:
    try:
        if not _TIME.fullmatch(value):
            raise ValueError(value)
        content.at = microseconds(datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=zone))
    except (ValueError, OverflowError):
        content.problems.append(Problem("FRAME_TIME", "", f"DataTime={value}", value))


def read_factors(content: Content, table: Mapping[tuple[str, str], Target]) -> tuple[Reading, list[Problem]]:
    """The content as properties of one type. A field without an entry keeps its own name, for intake to refuse."""
    reading, problems = Reading(content.at), []
    for code, fields in content.factors.items():
        flag = fields.get("Flag", NORMAL)
        values = {kind: value for kind, value in fields.items() if kind not in IGNORED}
        if flag != NORMAL:
            shown = ",".join(f"{code}-{kind}={value}" for kind, value in fields.items())
            problems.append(Problem("DATA_FLAG", code, shown, f"{flag} {FLAGS.get(flag, '?')}"))
            continue
        for kind, value in values.items():
            target = table.get((code, kind), Target(f"{code}-{kind}", None))
            raw = _value(value)
            if target.unit is not None and not isinstance(raw, str | NotFinite):
                raw = Quantity(raw, target.unit)
            reading.values.append((target.property, raw))
    return reading, problems


def _value(text: str) -> Any:
    if _NUMBER.fullmatch(text):
        number = float(text)
        return NotFinite(text) if number in (float("inf"), float("-inf")) else number
    return NotFinite(text) if _NOT_FINITE.fullmatch(text) else text


@dataclass(frozen=True, slots=True)
class Ready:
    """A packet whose content has its time."""

    packet: Packet
    content: Content


@dataclass
class _Message:
    since: float
    parts: int
    at: int | None = None
    seen: set[int] = field(default_factory=set)
    waiting: dict[int, Ready] = field(default_factory=dict)
    first: str = ""


class Parts:
    """Joins the packets of messages by MN, QN, CN. A packet with its own DataTime is ready at once; one without waits
    for that of a sister. Time (`now`, seconds of any clock) is an argument.
    """

    def __init__(self, patience: float = 60.0) -> None:
        self._patience = patience
        self._messages: dict[tuple[str, str, str], _Message] = {}

    def add(self, packet: Packet, content: Content, now: float) -> tuple[list[Ready], list[tuple[Packet, Damaged]]]:
        """What is ready with this packet, and what has waited in vain."""
        late = self.expired(now)
        if packet.parts == 1:
            return [Ready(packet, content)], late
        key = (packet.mn, packet.qn, packet.cn)
        if key not in self._messages and len(self._messages) >= MOST_MESSAGES:
            late += self._give_up(next(iter(self._messages)))
        message = self._messages.setdefault(key, _Message(now, packet.parts, first=packet.cp))
        message.seen.add(packet.part)
        message.at = message.at if content.at is None else content.at
        message.waiting[packet.part] = Ready(packet, content)
        if message.at is None:
            return [], late
        ready = [
            Ready(one.packet, one.content if one.content.at is not None else replace(one.content, at=message.at))
            for _, one in sorted(message.waiting.items())
        ]
        message.waiting.clear()
        return ready, late

    def expired(self, now: float) -> list[tuple[Packet, Damaged]]:
        """Messages whose packets did not all come in time."""
        old = [key for key, message in self._messages.items() if now - message.since > self._patience]
        return [one for key in old for one in self._give_up(key)]

    def end(self) -> list[tuple[Packet, Damaged]]:
        """Messages that are incomplete when the connection ends."""
        return [one for key in list(self._messages) for one in self._give_up(key)]

    def _give_up(self, key: tuple[str, str, str]) -> list[tuple[Packet, Damaged]]:
        message = self._messages.pop(key)
        missing = sorted(set(range(1, message.parts + 1)) - message.seen)
        mn, qn, cn = key
        named = Packet(mn=mn, cn=cn, qn=qn)
        found = []
        if missing:
            listed = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
            raw = f"QN={qn};CN={cn};MN={mn};PNUM={message.parts};CP=&&{message.first}&&"
            found.append((named, Damaged("FRAME_PARTS", raw.encode(), f"PNO {listed} / {message.parts}")))
        for _, one in sorted(message.waiting.items()):
            # Complete or not: without any DataTime its values have no time.
            found.append((one.packet, Damaged("FRAME_TIME", one.packet.cp.encode(), "DataTime = ?")))
        return found
