"""Cuts off devices whose credential changed: revoked, or rotated because it was stolen, or at the end of an overlap.

The registry is asked once a second who changed since the last look; a broker that lets a session live until it closes
would let a stolen credential send for months. At its start the door looks back, for what changed while it was away.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from nats.aio.client import Client
from nats.errors import Error as NatsError
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

log = logging.getLogger(__name__)

#: Transactions commit later than they said when they began; looking twice costs a device one reconnection.
OVERLOOKED = timedelta(seconds=3)
LOOK_BACK = timedelta(hours=24)
CHANGED = """
SELECT id, CASE WHEN previous_until <= now() THEN greatest(changed_at, previous_until) ELSE changed_at END
FROM registry_device
WHERE changed_at > %(since)s OR (previous_until > %(since)s AND previous_until <= now())
"""
#: What the broker answers: the connections of an MQTT client id, and the end of one of them.
CONNECTIONS, KICK = "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.{server}.KICK"


class Cutter:
    """Follows changed credentials. `system`: a connection of the broker's system account."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        system: Client,
        forget: Callable[[Iterable[str]], None],
    ) -> None:
        self._pool = pool
        self._system = system
        self._forget = forget
        self._since = datetime.now(UTC) - LOOK_BACK
        self._done: dict[str, datetime] = {}  # device → the change for which it was cut

    async def cut(self) -> int:
        """One look; how many connections were ended. What fails is tried again at the next."""
        now = datetime.now(UTC)
        try:
            changed = await self._changed()
            self._forget(changed)
            ended = 0
            for device, moment in changed.items():
                ended += await self._end(device)
                self._done[device] = moment
        except Exception as problem:
            log.warning("devices not cut off yet: %s", problem)
            return 0
        self._since = now - OVERLOOKED
        self._done = {device: moment for device, moment in self._done.items() if moment > self._since}
        return ended

    async def _changed(self) -> dict[str, datetime]:
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('zhiwan.space', '*', true)")  # devices of every space
            rows = await (await connection.execute(CHANGED, {"since": self._since})).fetchall()
        return {str(device): moment for device, moment in rows if self._done.get(str(device)) != moment}

    async def _end(self, device: str) -> int:
        try:
            answer = await self._system.request(CONNECTIONS, json.dumps({"mqtt_client": device}).encode(), timeout=2)
            told = json.loads(answer.data)
            found = (told.get("data") or {}).get("connections") or []
            for one in found:
                subject = KICK.format(server=told["server"]["id"])
                await self._system.request(subject, json.dumps({"cid": one["cid"]}).encode(), timeout=2)
        except (NatsError, TimeoutError) as problem:
            raise ConnectionError(f"the broker does not answer for {device}: {problem}") from problem
        if found:
            log.warning("cut off %s: its credential changed", device)
        return len(found)
