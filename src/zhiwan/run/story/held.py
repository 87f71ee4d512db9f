"""Who plays a story holds a lock of the database as long as it plays; who drops a space holds that and the worker's.

A lock ends with its session, so a process that was killed holds none: what it left can be dropped at once.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.run.worker.store import take_lock

PLAYER = 0x7A68_7374  # differs from the other session locks of this database
#: A player looks every moment whether its space is being dropped; its worker writes down what it holds.
PATIENCE = 45.0


class StillPlayed(PartUnavailable):
    code = "STORY-005"
    fact = 'the story "{space}" is still played: {who} does not end'
    detail = "Nothing was removed. The space is closed for everyone meanwhile."
    hint = "End that process (its id stands on the health page or in `ps`), then drop the space again."


class PlayedAlready(PartUnavailable):
    code = "STORY-006"
    fact = 'the story "{space}" is being played, or dropped, by another process'
    hint = "Wait until it ends; `zhiwan story list` tells."


@contextmanager
def played(space: str) -> Iterator[None]:
    """Hold the player's lock. Raises PlayedAlready."""
    if not _take_player(space):
        raise PlayedAlready(space=space)
    try:
        yield
    finally:
        _give_back(space)


@contextmanager
def stopped(space: str) -> Iterator[None]:
    """Wait until nobody plays this space and no worker works in it, and hold it so. Raises StillPlayed."""
    end = time.monotonic() + PATIENCE
    try:
        for who, take in (("its player", _take_player), ("its worker", take_lock)):
            while not take(space):
                if time.monotonic() > end:
                    raise StillPlayed(space=space, who=who)
                time.sleep(0.2)
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")


def is_played(space: str) -> bool:
    """Whether some process plays it now."""
    if _take_player(space):
        _give_back(space)
        return False
    return True


def _take_player(space: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [PLAYER, _number(space)])
        row = cursor.fetchone()
    return bool(row and row[0])


def _give_back(space: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [PLAYER, _number(space)])


def _number(space: str) -> int:
    return zlib.crc32(space.encode()) & 0x7FFF_FFFF
