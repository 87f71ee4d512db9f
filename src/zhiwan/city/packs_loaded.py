"""The packs and the place of this process, loaded once.

packs() -> PackSet        place() -> PlaceDecl (raises NoPlace)        book() -> RuleBook        region() -> str
lake() -> Lake            the_bus() -> NatsBus, connected on first use

A process is restarted to take up changed packs; tests that use other packs call `forget()`.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from zhiwan.city.people.acting import LIVE, current_space
from zhiwan.kernel.bus.nats_bus import NatsBus
from zhiwan.kernel.bus.port import Bus
from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.kernel.lake import Lake
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import PlaceDecl, load_place

if TYPE_CHECKING:
    from zhiwan.kernel.judge import RuleBook


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


@cache
def packs() -> PackSet:
    """All packs below the configured roots. Raises PackFault."""
    return load_packs([root for root in settings.ZHIWAN_PACKS if root.is_dir()])


@cache
def place() -> PlaceDecl:
    """The district as its folder declares it."""
    if settings.ZHIWAN_PLACE is None:
        raise NoPlace()
    return load_place(settings.ZHIWAN_PLACE)


def region() -> str:
    """The area code whose parameters hold here; CN where no place is configured."""
    return place().code if settings.ZHIWAN_PLACE is not None else "CN"


@cache
def book() -> RuleBook:
    """All rules, derive steps and indicators, parsed once."""
    from zhiwan.kernel.judge import RuleBook  # most processes of the web never judge

    return RuleBook.compile(packs())


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
    return _bus


def use_bus(bus: Bus | None) -> None:
    """Give this process another bus (tests use the memory one, which passes the same contract)."""
    global _bus
    _bus = bus


def forget() -> None:
    """Load packs and place anew at the next use."""
    for cached in (packs, place, book, _lake_of):
        cached.cache_clear()
