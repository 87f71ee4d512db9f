"""Brings commands to devices and their answers home. PostgreSQL is the store, the broker only carries.

A command is handed to the broker when its device is connected and has subscribed with QoS 1, so nothing waits in the
broker's stream for a device that never comes. The stream keeps a message for as long as it is wanted: when it has gone
and the device is still on the same connection, the device has taken it (PUBACK). If it went away meanwhile, the command
is sent again when it is back: a device may get one twice and knows it by its number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from zhiwan.kernel.bus.messages import MQTT
from zhiwan.run.broker_door.broker import Broker
from zhiwan.run.broker_door.lookup import Pool
from zhiwan.run.broker_door.refusals import Refusals

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0
AT_ONCE = 500
ANSWERS = "$MQTT.msgs.devices.*.answers"
READER = "answers"
MOST_SAID = 200
#: A command that nobody wants any more must not wait in a session that comes back tomorrow.
OPEN = """
SELECT c.id, c.space, c.device_id, c.command, c.argument, c.asked_at, c.expires_at, c.state, c.seq, c.server, c.cid,
       d.enabled
FROM registry_devicecommand c JOIN registry_device d ON d.id = c.device_id
WHERE c.state IN ('asked', 'sent', 'delivered') ORDER BY c.id LIMIT %s
"""
SENT = """
UPDATE registry_devicecommand SET state = 'sent', seq = %s, server = %s, cid = %s WHERE id = %s AND state = 'asked'
"""
DELIVERED = "UPDATE registry_devicecommand SET state = 'delivered', delivered_at = %s WHERE id = %s AND state = 'sent'"
AGAIN = "UPDATE registry_devicecommand SET state = 'asked', seq = NULL WHERE id = %s AND state = 'sent'"
EXPIRED = "UPDATE registry_devicecommand SET state = 'expired' WHERE id = %s AND state <> 'answered'"
ANSWERED = """
UPDATE registry_devicecommand SET state = 'answered', answered_at = %s, ok = %s, says = %s,
       delivered_at = COALESCE(delivered_at, %s)
WHERE id = %s AND device_id = %s AND state IN ('asked', 'sent', 'delivered')
"""
SPACE_OF = "SELECT space FROM registry_devicecommand WHERE id = %s AND device_id = %s"


@dataclass(frozen=True)
class Wanted:
    """A command that is under way."""

    id: int
    space: str
    device: str
    command: str
    argument: Any
    asked_at: datetime
    expires_at: datetime
    state: str
    seq: int | None
    server: str
    cid: int | None
    enabled: bool

    def message(self) -> bytes:
        """What the device gets."""
        body = {"command": self.id, "do": self.command, "until": self.expires_at.astimezone(UTC).isoformat()}
        if self.argument is not None:
            body["argument"] = self.argument
        return json.dumps(body, ensure_ascii=False).encode()


class Commands:
    """The way out and the way back."""

    def __init__(self, broker: Broker, platform: Client, pool: Pool, refusals: Refusals) -> None:
        self._broker, self._client, self._pool, self._refusals = broker, platform, pool, refusals
        self._js = platform.jetstream(timeout=5)
        self.wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: a turn every second, and at once when something is asked."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), TURN_SECONDS)
            self.wake.clear()
            try:
                for one in await self._open():
                    await self._move(one, datetime.now(UTC))
            except (NatsError, TimeoutError, OSError) as problem:
                log.warning("commands wait: %s", problem)
            except Exception:
                log.exception("commands wait")

    async def _open(self) -> list[Wanted]:
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('zhiwan.space', '*', true)")
            return [Wanted(*row) for row in await (await connection.execute(OPEN, [AT_ONCE])).fetchall()]

    async def _move(self, one: Wanted, at: datetime) -> None:
        """One step on, if there is one."""
        if at >= one.expires_at:
            await self._drop(one)
            await self._write(one.space, EXPIRED, [one.id])
        elif one.state == "asked" and one.enabled:
            await self._send(one)
        elif one.state == "sent" and not await self._waits(one.seq):
            here = await self._broker.connections_of(one.device)
            if any((each.server, each.cid) == (one.server, one.cid) for each in here):
                await self._write(one.space, DELIVERED, [at, one.id])
            else:
                await self._write(one.space, AGAIN, [one.id])

    async def _send(self, one: Wanted) -> None:
        found = [each for each in await self._broker.connections_of(one.device) if each.hears(one.device)]
        if not found:
            return
        subject = f"$MQTT.msgs.commands.{one.device}"
        # The broker passes on what carries the mark of its own publishes.
        kept = await self._js.publish(subject, one.message(), headers={"Nmqtt-Pub": "1"})
        await self._write(one.space, SENT, [kept.seq, found[0].server, found[0].cid, one.id])

    async def _waits(self, seq: int | None) -> bool:
        """Whether the broker still keeps the message, because the device has not taken it."""
        if seq is None:
            return False
        try:
            await self._js.get_msg(MQTT.name, seq=seq)
        except NotFoundError:
            return False
        return True

    async def _drop(self, one: Wanted) -> None:
        if one.state == "sent" and one.seq is not None:
            with contextlib.suppress(NotFoundError, NatsError):
                await self._js.delete_msg(MQTT.name, one.seq)

    async def _write(self, space: str, statement: str, values: list[Any]) -> int:
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('zhiwan.space', %s, true)", [space])
            return (await connection.execute(statement, values)).rowcount

    # -- the way back ----------------------------------------------------------------------------------------------

    async def read_answers(self, stop: asyncio.Event) -> None:
        """Until `stop`. An answer is done with when it is written."""
        config = ConsumerConfig(
            durable_name=READER,
            filter_subject=ANSWERS,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30,
            deliver_policy=DeliverPolicy.ALL,
            max_ack_pending=1000,
        )
        while not stop.is_set():
            try:
                await self._js.add_consumer(MQTT.name, config)
                reader = await self._js.pull_subscribe_bind(consumer=READER, stream=MQTT.name)
                while not stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        for message in await reader.fetch(100, timeout=1.0):
                            await self._take(message)
                            await message.ack()
            except (NatsError, OSError) as problem:
                log.warning("answers wait: %s", problem)
                await asyncio.sleep(TURN_SECONDS)
            except Exception:
                log.exception("answers wait")
                await asyncio.sleep(TURN_SECONDS)

    async def _take(self, message: Msg) -> None:
        device = message.subject.split(".")[-2]
        try:
            body = json.loads(message.data)
            id, ok, says = int(body["command"]), body["ok"] is True, str(body.get("says") or "")
        except (ValueError, KeyError, TypeError):
            self._refusals.add("BAD_ANSWER", device)
            return
        says = "".join(c for c in says if c.isprintable())[:MOST_SAID]
        async with self._pool.connection() as connection:
            await connection.execute("SELECT set_config('zhiwan.space', '*', true)")
            row = await (await connection.execute(SPACE_OF, [id, device])).fetchone()
        at = datetime.now(UTC)
        if row is None:
            self._refusals.add("BAD_ANSWER", device)
            return
        await self._write(row[0], ANSWERED, [at, ok, says, at, id, device])
