"""The broker as its system account sees it: who is connected, who comes and goes, and how a connection is cut."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout

log = logging.getLogger(__name__)

PING = "$SYS.REQ.SERVER.PING.CONNZ"
ANSWER_SECONDS = 2.0
#: Servers of a cluster answer together; after the first one so long is waited for the others.
OTHERS_SECONDS = 0.1
PAGE = 1024
COMES, GOES = "CONNECT", "DISCONNECT"


@dataclass(frozen=True)
class Connection:
    """A device's connection to the broker."""

    device: str
    server: str
    cid: int
    since: datetime
    subscriptions: frozenset[str] = frozenset()

    def hears(self, device: str) -> bool:
        """Whether it has subscribed to its commands with QoS 1: then the broker keeps them until they are taken."""
        wanted = {f"commands.{device}", f"commands.{device}.>"}
        return bool(wanted & self.subscriptions) and any(one.startswith("$MQTT.sub.") for one in self.subscriptions)


class Broker:
    """Questions to all servers of the broker."""

    def __init__(self, client: Client, account: str) -> None:
        self._client = client
        self._account = account

    async def watch(self, heard: Callable[[bool, Connection], None]) -> None:
        """From now on `heard` is told of each device that comes (True) or goes."""

        async def take(message: Msg) -> None:
            body = json.loads(message.data)
            if found := _told(body["server"]["id"], body["client"]):
                heard(message.subject.endswith(f".{COMES}"), found)

        for event in (COMES, GOES):
            await self._client.subscribe(f"$SYS.ACCOUNT.{self._account}.{event}", cb=take, pending_msgs_limit=-1)
        await self._client.flush()

    async def connections_of(self, device: str) -> list[Connection]:
        """Usually one or none."""
        return [
            one for body in await self._ask({"mqtt_client": device, "subscriptions": True}) for one in _listed(body)
        ]

    async def connections(self) -> list[Connection]:
        """All devices that are connected."""
        found: list[Connection] = []
        offset = 0
        while True:
            answers = await self._ask({"acc": self._account, "limit": PAGE, "offset": offset})
            found += [one for body in answers for one in _listed(body)]
            offset += PAGE
            if not any(body["data"]["total"] > offset for body in answers):
                return found

    async def cut(self, connection: Connection) -> None:
        """End a connection; the device may come back if it is let in."""
        subject = f"$SYS.REQ.SERVER.{connection.server}.KICK"
        try:
            await self._client.request(subject, json.dumps({"cid": connection.cid}).encode(), timeout=ANSWER_SECONDS)
        except NatsTimeout:
            log.warning("the broker did not answer that %s is cut", connection.device)

    async def _ask(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        inbox = self._client.new_inbox()
        listening = await self._client.subscribe(inbox)
        found: list[dict[str, Any]] = []
        try:
            await self._client.publish(PING, json.dumps(question).encode(), reply=inbox)
            while True:
                message = await listening.next_msg(timeout=OTHERS_SECONDS if found else ANSWER_SECONDS)
                body = json.loads(message.data)
                if "data" in body:
                    found.append(body)
        except (NatsTimeout, TimeoutError, asyncio.CancelledError):
            if not found:
                raise
            return found
        finally:
            await listening.unsubscribe()


def _listed(body: dict[str, Any]) -> list[Connection]:
    found = (_told(body["server"]["id"], one) for one in body["data"].get("connections") or ())
    return [one for one in found if one is not None]


def _told(server: str, told: dict[str, Any]) -> Connection | None:
    """A device's connection as an event or a list tells it; None for one of ours."""
    device = told.get("mqtt_client") or told.get("client_id") or ""
    if not device or (told.get("type") or told.get("client_type")) != "mqtt":
        return None
    since = _moment(told["start"])
    cid = int(told.get("cid") or told.get("id") or 0)
    return Connection(device, server, cid, since, frozenset(told.get("subscriptions_list") or ()))


def _moment(text: str) -> datetime:
    """A time of Go, with up to nine digits of a second."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")).astimezone(UTC)
