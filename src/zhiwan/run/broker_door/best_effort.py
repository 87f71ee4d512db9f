"""Readings sent with QoS 0 (the default of many clients): taken where possible, promised to nobody.

The broker keeps only QoS 1 and 2 publishes in the stream the worker reads. Here the others are stored in the same
stream, with a bound on how many may wait; what does not fit is counted as lost, as MQTT allows at QoS 0.
"""

from __future__ import annotations

import asyncio

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from zhiwan.run.broker_door.refusals import Refusals

MOST_WAITING = 2000
QOS_HEADER = "Nmqtt-Pub"  # the broker puts the QoS of the publisher there


class BestEffort:
    """Stores what devices publish with QoS 0."""

    def __init__(self, client: Client, refusals: Refusals) -> None:
        self._client = client
        self._js = client.jetstream(timeout=5)
        self._refusals = refusals
        self._waiting: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """From now on."""
        for kind in ("telemetry", "senml"):
            await self._client.subscribe(f"devices.*.{kind}", queue="door", cb=self._take)

    async def _take(self, message: Msg) -> None:
        if not message.headers or message.headers.get(QOS_HEADER) != "0":
            return  # stored by the broker itself
        if len(self._waiting) >= MOST_WAITING:
            self._refusals.add("QOS0_LOST", message.subject.split(".")[1])
            return
        task = asyncio.create_task(self._store(message))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _store(self, message: Msg) -> None:
        try:
            await self._js.publish(f"$MQTT.msgs.{message.subject}", message.data)
        except (NatsError, TimeoutError, OSError):
            self._refusals.add("QOS0_LOST", message.subject.split(".")[1])
