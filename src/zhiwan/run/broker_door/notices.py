"""Hears from PostgreSQL what changed: devices (with the commit that changed them) and new commands.

While the line is down nothing is heard; so whoever listens is told when it is up (again), and looks at everything once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection, Error, sql

log = logging.getLogger(__name__)

CHANGED, COMMAND = "device_changed", "device_command"
AGAIN_SECONDS = 0.5
LOOK_SECONDS = 1.0
#: A dead line to a remote database is noticed within seconds.
ALIVE: dict[str, Any] = {"keepalives": 1, "keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3}
Heard = Callable[[str, str], None]  # channel, payload


async def hear(url: str, heard: Heard, up: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Until `stop`: each notice to `heard`; `up` whenever notices may have been missed before."""
    while not stop.is_set():
        try:
            async with await AsyncConnection.connect(url, autocommit=True, **ALIVE) as connection:
                for channel in (CHANGED, COMMAND):
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                await up()
                while not stop.is_set():
                    async for notice in connection.notifies(timeout=LOOK_SECONDS):
                        heard(notice.channel, notice.payload)
        except (Error, OSError) as problem:
            log.warning("changes of devices are not heard for a moment: %s", problem)
            await asyncio.sleep(AGAIN_SECONDS)
