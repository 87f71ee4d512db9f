"""The HJ 212 door's rows: factors become properties by dated parameters, and are checked as every door checks.

Which field of which factor is which property is a table `hj212_factors` of any pack (columns code, field, type,
property, unit), looked up at the time of the data. What intake would refuse is refused here, with its reason; what is
accepted goes into the stream in the normalised form of the HTTP door.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from zhiwan.kernel.packs.parameters import ParameterBook, ParameterNotInForce
from zhiwan.kernel.sense.decoders.hj212 import Content, Damaged, Target, read_factors
from zhiwan.kernel.sense.decoders.reading import microseconds
from zhiwan.kernel.sense.intake import Intake
from zhiwan.kernel.sense.reasons import Problem, cut

PARAMETER = "hj212_factors"
Table = dict[tuple[str, str], Target]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PASSWORD = re.compile(rb"PW=[^;&]*")


class FactorTables:
    """The tables of all packs, by type and day."""

    def __init__(self, parameters: ParameterBook, region: str = "CN") -> None:
        self._parameters = parameters
        self._region = region
        self._ids = [id for id in parameters.ids if id.rpartition(".")[2] == PARAMETER]
        self._tables: dict[tuple[str, int], Table] = {}

    def table(self, type_name: str, at: datetime) -> Table:
        """The factors of one type that are in force at a time; none before the first entry."""
        key = (type_name, at.astimezone(self._parameters.zone).toordinal())
        if key not in self._tables:
            if len(self._tables) > 1000:
                self._tables.clear()
            self._tables[key] = self._read(type_name, at)
        return self._tables[key]

    def _read(self, type_name: str, at: datetime) -> Table:
        found: Table = {}
        for id in self._ids:
            try:
                rows = self._parameters.at(id, at, self._region).table or []
            except ParameterNotInForce:
                continue
            for row in rows:
                if row["type"] == type_name:
                    unit = row.get("unit")
                    found[str(row["code"]), str(row["field"])] = Target(
                        str(row["property"]), str(unit) if unit else None
                    )
        return found


@dataclass(frozen=True)
class Hj212Rows:
    """One packet at the door: `message` for the stream (None: nothing to keep) and what was refused of it."""

    message: bytes | None
    values: int
    problems: list[Problem]


def decode_hj212_rows(
    device: str, content: Content, *, intake: Intake, tables: FactorTables, received_at: datetime
) -> Hj212Rows:
    """Check a packet's content for a device that the intake knows."""
    info = intake.devices[device]
    if content.at is None:
        problems = content.problems or [Problem("FRAME_TIME", "", ", ".join(content.factors), "DataTime = ?")]
        return Hj212Rows(None, 0, list(problems))
    at = _EPOCH + timedelta(microseconds=content.at)
    reading, problems = read_factors(content, tables.table(info.type, at))
    good, wrong = intake.examine(device, reading, microseconds(received_at))
    problems = [*content.problems, *problems, *wrong]
    if not good:
        return Hj212Rows(None, 0, problems)
    row = {"device": device, "at": content.at // 1000, "values": good}  # DataTime has whole seconds
    return Hj212Rows(msgspec.json.encode(row), len(good), problems)


def problem_of(damaged: Damaged) -> Problem:
    """What is told of damaged bytes. Passwords in them are nobody's business."""
    return Problem(damaged.code, "", cut(_PASSWORD.sub(b"PW=***", damaged.raw)), damaged.detail)
