"""The numbers of the ways in at a moment: dated parameters with their source, like every number that a rule asks for.

at(when) -> Limits        declared(when) -> [(Parameter, InForce)], for the page that shows them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from zhiwan.kernel.packs.models import InForce, Parameter
from zhiwan.kernel.packs.parameters import ParameterBook
from zhiwan.kernel.packs.shape import shaped
from zhiwan.kernel.packs.strict_yaml import read_yaml

FILE = Path(__file__).parent / "limits.yml"
ROOM = "ways_in"


@dataclass(frozen=True)
class Limits:
    """What holds at one moment; each field is a parameter of limits.yml, whole numbers in the unit of its name."""

    password_length: int
    password_classes: int
    password_days: int
    password_warned_days: int
    passwords_kept: int
    tries: int
    lock_minutes: int
    idle_minutes: int
    session_hours: int
    entering_minutes: int
    recovery_minutes: int
    second_fresh_minutes: int
    code_minutes: int
    code_tries: int
    codes_a_minute: int
    codes_a_day: int
    codes_of_an_address: int
    failures_of_an_address: int
    grant_days: int
    key_days: int
    device_overlap_hours: int
    key_overlap_hours: int
    writes_a_minute: int
    writes_of_an_address: int
    calls_a_minute: int

    @property
    def lock(self) -> timedelta:
        return timedelta(minutes=self.lock_minutes)

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)

    @property
    def session(self) -> timedelta:
        return timedelta(hours=self.session_hours)


@dataclass(frozen=True)
class _Room:
    id: str
    parameters: Sequence[Parameter]


@cache
def _parameters() -> tuple[Parameter, ...]:
    return tuple(shaped(read_yaml(FILE, FILE.name), list[Parameter]))


@cache
def _book() -> ParameterBook:
    return ParameterBook([_Room(ROOM, _parameters())])


@cache
def _on(day: date) -> Limits:
    return Limits(**{one.name: _whole(_book().at(f"{ROOM}.{one.name}", day)) for one in fields(Limits)})


def _whole(entry: InForce) -> int:
    if entry.value is None or not entry.value.is_integer():
        raise ValueError(f"{FILE.name}: a limit is one whole number ({entry.source})")
    return int(entry.value)


def at(when: datetime) -> Limits:
    """The limits in force. Raises ParameterNotInForce before the first of them."""
    return _on(when.astimezone(_book().zone).date())


def declared(when: datetime) -> list[tuple[Parameter, InForce]]:
    """Every limit with its source, in the order of the file."""
    return [(one, _book().at(f"{ROOM}.{one.id}", when)) for one in _parameters()]
