"""The packs and the place of this process: as their folders declare them, with what the district changed where it runs.

    packs() -> PackSet        book() -> RuleBook        region() -> str        place() -> PlaceDecl (raises NoPlace)
    in_force() -> InForce     the same with the number of changes it holds, and those that fit no text of today
    in_force_at(serial)       as it was after that change: for an alarm of then
    refresh(every=0)          takes up changes that others signed; asks at most once in so many seconds
    lake() -> Lake            the_bus() -> NatsBus, connected on first use

Folders are read once: a process is restarted to take up changed packs. Changes that people sign (city/amendments) come
without a restart: the app that keeps them registers itself here, since everything below it reads packs too. Each
process asks `refresh` at its own pace: pages with a request, jobs before each, the worker with its registry.
Tests that use other packs call `forget()`.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.db import DatabaseError

from zhiwan.city.people.acting import LIVE, current_space
from zhiwan.kernel.bus.nats_bus import NatsBus
from zhiwan.kernel.bus.port import Bus
from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.kernel.lake import Lake
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.local_changes import LocalChange, changed
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import PlaceDecl, load_place

if TYPE_CHECKING:
    from zhiwan.kernel.judge import RuleBook

log = logging.getLogger(__name__)


class NoPlace(PartUnavailable):
    """No place is configured."""

    code = "CITY-001"
    fact = "no place is configured"
    detail = "ZHIWAN_PLACE names the folder of the district."
    hint = "Set ZHIWAN_PLACE to a folder with place.yml, for example one below places/."


class NoBus(PartUnavailable):
    """No bus is configured."""

    code = "CITY-002"
    fact = "no bus is configured"
    detail = "ZHIWAN_NATS_URL is empty."
    hint = "Start with bin/up, or set ZHIWAN_NATS_URL."


class ChangesUnread(PartUnavailable):
    """The district's changes cannot be read, and without them no rule is the one in force."""

    code = "CITY-003"
    fact = "the changed rules and parameters cannot be read"
    detail = "The database does not answer ({problem})."
    hint = "Look at the database; nothing is judged by a text that is not in force."


class Changes(Protocol):
    """Where signed changes are kept (city/amendments)."""

    def version(self) -> int:
        """The serial of the last one; 0 before the first."""
        ...

    def signed(self) -> Sequence[LocalChange]:
        """All of them."""
        ...


@dataclass(frozen=True, eq=False)
class InForce:
    """Packs with the changes of a moment."""

    version: int
    changes: tuple[LocalChange, ...]
    packs: PackSet
    left_out: tuple[LocalChange, ...]  # signed on a text that the pack does not have any more
    former: RuleBook | None = None  # of the same packs before the last changes

    @cached_property
    def book(self) -> RuleBook:
        """All rules, derive steps and indicators, parsed once; after a change only what it touched."""
        from zhiwan.kernel.judge import RuleBook  # most processes of the web never judge

        return RuleBook.compile(self.packs) if self.former is None else self.former.changed(self.packs)


_changes: Changes | None = None
_taken: InForce | None = None
_asked = 0.0
_taking = threading.Lock()


def keep_changes(changes: Changes) -> None:
    """Called by the app that keeps signed changes, when it is loaded."""
    global _changes
    _changes = changes


@cache
def declared() -> PackSet:
    """All packs below the configured roots, as their files say. Raises PackFault."""
    return load_packs([root for root in settings.ZHIWAN_PACKS if root.is_dir()])


def packs() -> PackSet:
    """All packs as they are in force here. Raises PackFault, ChangesUnread."""
    return in_force().packs


def book() -> RuleBook:
    """All rules, derive steps and indicators that are in force."""
    return in_force().book


def in_force() -> InForce:
    """What this process goes by now."""
    found = _taken
    if found is None:
        try:
            found = _take(_version())
        except DatabaseError as problem:
            raise ChangesUnread(problem=type(problem).__name__) from problem
    return found


@lru_cache(maxsize=16)
def in_force_at(serial: int) -> InForce:
    """What was in force after the change of that number, on the packs of today."""
    return _made(serial, tuple(one for one in in_force().changes if one.serial <= serial))


def refresh(every: float = 0.0) -> int:
    """Take up what was signed since; the number of the last change. With the database away all stays as it is."""
    global _asked
    now = time.monotonic()
    if _taken is not None and every and now - _asked < every:
        return _taken.version
    _asked = now
    try:
        version = _version()
        if _taken is None or _taken.version != version:
            return _take(version).version
    except DatabaseError as problem:
        log.warning("changes of rules were not looked for: %s", problem)
    return in_force().version


def _version() -> int:
    return _changes.version() if _changes is not None else 0


def _take(version: int) -> InForce:
    global _taken
    with _taking:
        if _taken is None or _taken.version != version:
            signed = tuple(_changes.signed()) if _changes is not None and version else ()
            former = _taken.__dict__.get("book") if _taken is not None else None
            _taken = _made(max((one.serial for one in signed), default=0), signed, former)
            in_force_at.cache_clear()
            for one in _taken.left_out:
                log.warning("the change %d of %s fits no text of its pack and is left out", one.serial, one.subject)
        return _taken


def _made(version: int, changes: tuple[LocalChange, ...], former: RuleBook | None = None) -> InForce:
    found, left_out = changed(declared(), changes) if changes else (declared(), ())
    return InForce(version, changes, found, left_out, former)


@cache
def place() -> PlaceDecl:
    """The district as its folder declares it."""
    if settings.ZHIWAN_PLACE is None:
        raise NoPlace()
    return load_place(settings.ZHIWAN_PLACE)


def region() -> str:
    """The area code whose parameters hold here; CN where no place is configured."""
    return place().code if settings.ZHIWAN_PLACE is not None else "CN"


def lake() -> Lake:
    """The history of the space in which this context acts; each has a folder of its own."""
    return _lake_of(current_space())


def lake_folder(space: str) -> Path:
    """Where a space keeps its history."""
    data = Path(settings.ZHIWAN_DATA)
    return data / "lake" if space == LIVE else data / "lakes" / space


@cache
def _lake_of(space: str) -> Lake:
    return Lake(lake_folder(space), zone=settings.TIME_ZONE)


_bus: Bus | None = None
_bus_lock = threading.Lock()


def the_bus() -> Bus:
    """This process's connection to the bus. Raises NoBus or BusUnavailable; asked again it tries again."""
    global _bus
    if _bus is None:
        with _bus_lock:
            if _bus is None:
                if not settings.ZHIWAN_NATS_URL:
                    raise NoBus()
                file = settings.ZHIWAN_NATS_CREDENTIALS_FILE
                _bus = NatsBus(settings.ZHIWAN_NATS_URL, Path(file) if file else None, name="city")
                # A command that tells pages something and ends at once would take the hint with it.
                atexit.register(_bus.close)
    return _bus


def use_bus(bus: Bus | None) -> None:
    """Give this process another bus (tests use the memory one, which passes the same contract)."""
    global _bus
    _bus = bus


def forget() -> None:
    """Load packs, changes and place anew at the next use."""
    global _taken
    _taken = None
    for cached in (declared, place, _lake_of, in_force_at):
        cached.cache_clear()
