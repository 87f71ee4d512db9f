"""Dated parameters: every number that comes from a law, standard or plan, looked up at the time of the event.

A date of a law begins at local midnight, so the book holds the legal time zone of its region.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Protocol
from zoneinfo import ZoneInfo

from zhiwan.kernel.facts.errors import PackBroken
from zhiwan.kernel.packs.models import InForce, Parameter
from zhiwan.kernel.packs.names import global_id

LEGAL_ZONE = "Asia/Shanghai"  # the legal time of region CN


class ParameterUnknown(PackBroken):
    """No pack declares a parameter of this name."""

    code = "PARAM-001"
    fact = 'there is no parameter "{name}"'
    detail = "Asked from {asker}."
    hint = "Declare it in params/ of the pack, or name it <last part of the pack>.<id>."


class ParameterNotInForce(PackBroken):
    """No value of a parameter was in force at the requested time."""

    code = "PARAM-014"
    fact = 'parameter "{name}" has no value at {at}'
    detail = "The first value starts on {first}; region {region}."
    hint = "Add an entry for that time with its legal source, or start the replay later."


class TimeWithoutZone(PackBroken):
    """A lookup with a time that has no zone could mean two days."""

    code = "PARAM-015"
    fact = 'the time {at} asked of parameter "{name}" has no zone'
    hint = "Pass an aware datetime, or a date."


@dataclass(frozen=True)
class Interval:
    """One value with the moments between which it holds: start inclusive, end exclusive, None for open."""

    start: datetime
    end: datetime | None
    in_force: InForce


class Declaring(Protocol):
    """What declares parameters: a pack, or a room of the platform."""

    @property
    def id(self) -> str: ...
    @property
    def parameters(self) -> Sequence[Parameter]: ...


class ParameterBook:
    """All parameters of all packs by global id (`life.air.iaqi_breakpoints`) and region."""

    def __init__(self, packs: Iterable[Declaring], zone: str = LEGAL_ZONE) -> None:
        self.zone = ZoneInfo(zone)
        self._pack_ids: list[str] = []
        self._declared: dict[str, dict[str, Parameter]] = {}
        for pack in packs:
            self._pack_ids.append(pack.id)
            for parameter in pack.parameters:
                self._declared.setdefault(f"{pack.id}.{parameter.id}", {})[parameter.region] = parameter

    def __contains__(self, id: object) -> bool:
        return id in self._declared

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(self._declared))

    def resolve(self, pack_id: str, name: str) -> str:
        """The global id of a name as a pack writes it (local first). Raises ParameterUnknown."""
        found = global_id(pack_id, name, self._pack_ids)
        if found not in self._declared:
            raise ParameterUnknown(name=name, asker=pack_id)
        return found

    def history(self, id: str, region: str = "CN") -> Parameter:
        """The whole declaration that holds for a region: the nearest region that contains it."""
        if id not in self._declared:
            raise ParameterUnknown(name=id, asker="the parameter book")
        by_region = self._declared[id]
        fitting = [own for own in by_region if own == "CN" or region.startswith(own)]
        if not fitting:
            raise ParameterNotInForce(name=id, at="any time", first="no date", region=region)
        return by_region[max(fitting, key=lambda own: 0 if own == "CN" else len(own))]

    def at(self, id: str, when: datetime | date, region: str = "CN") -> InForce:
        """The value in force. `when` is an aware datetime or a (local) date. Raises ParameterNotInForce."""
        if isinstance(when, datetime):
            if when.tzinfo is None:
                raise TimeWithoutZone(name=id, at=when)
            day = when.astimezone(self.zone).date()
        else:
            day = when
        parameter = self.history(id, region)
        found = None
        for entry in parameter.in_force:
            if entry.from_ <= day and (entry.to is None or day < entry.to):
                found = entry
        if found is None:
            first = min(entry.from_ for entry in parameter.in_force)
            raise ParameterNotInForce(name=id, at=when, first=first, region=region)
        return found

    def intervals(self, id: str, region: str = "CN") -> tuple[Interval, ...]:
        """All values with their moments, earliest first: for joins over whole columns."""
        entries = sorted(self.history(id, region).in_force, key=lambda entry: entry.from_)
        found = []
        for number, entry in enumerate(entries):
            ends = [end for end in (entry.to, entries[number + 1].from_ if number + 1 < len(entries) else None) if end]
            found.append(Interval(self._midnight(entry.from_), self._midnight(min(ends)) if ends else None, entry))
        return tuple(found)

    def of(self, pack_id: str, region: str = "CN") -> Callable[[str, datetime | date], InForce]:
        """What pack code is given: names local first, the place's region filled in."""

        def look_up(name: str, when: datetime | date) -> InForce:
            return self.at(self.resolve(pack_id, name), when, region)

        return look_up

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)
