"""One real MQTT client per device, all in one thread: a selector watches two thousand sockets.

The clients are paho-mqtt as anyone would use it: own client id, own secret, QoS 1, keep-alive. They come in a few at a
time, report when it is their turn, and come back after a while when the connection is lost. What the broker has not
acknowledged, paho sends again after it is back.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from zhiwan.run.simulator.fleet import SimDevice

KEEP_ALIVE = 60
RAMP = 400  # new connections a second
QUEUE = 50  # unacknowledged messages a device keeps; more is lost, as on a real device with little memory
SHORTEST = 0.5  # no device reports more often, however fast the clock runs

#: what a device sends at a moment; the number is how many reports it has made before.
Report = Callable[[SimDevice, datetime, int], Iterator[dict[str, Any]]]


@dataclass
class Player:
    """One device's client and its turn."""

    device: SimDevice
    client: Client
    every: float
    reports: int = 0
    tries: int = 0
    started: bool = False  # has its turns to report
    connected: bool = False
    waiting: bool = True  # a turn to connect is planned
    socket: Any = None  # as the selector knows it


@dataclass
class Counts:
    """What happened so far."""

    connected: int = 0
    refused: int = 0
    lost: int = 0
    published: int = 0
    acknowledged: int = 0
    dropped: int = 0


@dataclass(order=True)
class _Turn:
    at: float
    number: int
    act: str = field(compare=False)
    player: Player = field(compare=False)


class Publisher:
    """Plays a fleet against a broker until `stop` is called."""

    def __init__(
        self,
        fleet: Sequence[SimDevice],
        secrets: Mapping[str, str],
        report: Report,
        *,
        host: str,
        port: int,
        speed: float = 1.0,
        ramp: float = RAMP,
    ) -> None:
        self.counts = Counts()
        self._report, self._host, self._port, self._ramp = report, host, port, ramp
        self._selector = selectors.DefaultSelector()
        self._running = True
        self._turns: list[_Turn] = []
        self._numbers = itertools.count()
        self._players = [
            Player(
                device, self._client(device, secrets[device.id]), max(SHORTEST, device.every.total_seconds() / speed)
            )
            for device in fleet
            if device.id in secrets
        ]

    def stop(self, *_: object) -> None:
        """End after the present round; safe in a signal handler."""
        self._running = False

    def run(self) -> None:
        """Connect, publish, keep alive, until stopped."""
        began = time.monotonic()
        for number, player in enumerate(self._players):
            self._plan(began + number / self._ramp, "connect", player)
        look = began
        while self._running:
            now = time.monotonic()
            while self._turns and self._turns[0].at <= now and self._running:
                turn = heapq.heappop(self._turns)
                self._connect(turn.player) if turn.act == "connect" else self._publish(turn.player, turn.at)
            pause = min(0.5, max(0.0, self._turns[0].at - time.monotonic())) if self._turns else 0.5
            for key, events in self._selector.select(pause):
                self._serve(key.data, events)
            if now - look >= 5:
                look = now
                for player in self._players:
                    if not player.waiting:
                        player.client.loop_misc()
                        self._settle(player)
        self._close()

    # -- one client ----------------------------------------------------------------------------------------------

    def _client(self, device: SimDevice, secret: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=device.id, clean_session=True)
        client.username_pw_set(device.id, secret)
        client.max_queued_messages_set(QUEUE)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_message = self._on_command
        client.on_socket_close = self._on_socket_close
        return client

    def _connect(self, player: Player) -> None:
        player.client.user_data_set(player)
        player.tries, player.waiting = player.tries + 1, False
        try:
            player.client.connect(self._host, self._port, KEEP_ALIVE)
        except OSError:
            self._again(player)
            return
        player.socket = player.client.socket()
        self._selector.register(player.socket, selectors.EVENT_READ, player)

    def _on_connect(
        self, client: Client, player: Player, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self.counts.refused += 1  # the broker closes next; _gone plans the next try
            return
        self.counts.connected += 1
        player.connected, player.tries = True, 0
        if player.device.obeys:  # only these: each subscription of QoS 1 costs the broker a reader
            client.subscribe(f"commands/{player.device.id}", qos=1)
        if not player.started:
            player.started = True
            # The first report comes soon, so that a new map fills up; then each keeps to its own minute.
            self._plan(time.monotonic() + (player.device.number % 97) / 97 * min(3.0, player.every), "report", player)

    def _on_command(self, client: Client, player: Player, message: MQTTMessage) -> None:
        """It says that it did it; nothing of what it reports changes."""
        try:
            number = orjson.loads(message.payload)["command"]
        except (ValueError, KeyError, TypeError):
            return
        answer = orjson.dumps({"command": number, "ok": True, "says": "模拟设备已收到"})
        client.publish(f"devices/{player.device.id}/answers", answer, qos=1)

    def _on_publish(
        self, client: Client, player: Player, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self.counts.acknowledged += 1

    def _on_socket_close(self, client: Client, player: Player, sock: Any) -> None:
        """Before paho closes it: the number of a closed socket is soon another client's."""
        if player.socket is not None:
            self._selector.unregister(player.socket)
            player.socket = None

    def _publish(self, player: Player, due: float) -> None:
        spread = (player.device.number * 0.618034) % 1
        wait = player.every * (0.5 + spread) if player.reports == 0 else player.every
        # From when it was due, so that a busy machine does not slow the devices down; never two at once.
        self._plan(max(due + wait, time.monotonic()), "report", player)
        for message in self._report(player.device, datetime.now(UTC), player.reports):
            info: MQTTMessageInfo = player.client.publish(
                f"devices/{player.device.id}/telemetry", orjson.dumps(message), qos=1
            )
            if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                self.counts.dropped += 1
            else:
                self.counts.published += 1
        player.reports += 1
        self._settle(player)

    def _serve(self, player: Player, events: int) -> None:
        if events & selectors.EVENT_READ:
            player.client.loop_read(10)
        if player.socket is not None and events & selectors.EVENT_WRITE:
            player.client.loop_write()
        self._settle(player)

    def _settle(self, player: Player) -> None:
        """After any word with a client: ask for writability only while something waits, or plan its way back."""
        if player.socket is not None:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if player.client.want_write() else 0)
            if self._selector.get_key(player.socket).events != wanted:
                self._selector.modify(player.socket, wanted, player)
        elif not player.waiting:
            if player.connected:
                self.counts.lost += 1
            player.connected = False
            self._again(player)

    def _again(self, player: Player) -> None:
        """Later and later, each at its own moment: two thousand devices must not all knock at once."""
        player.waiting = True
        wait = min(60.0, 2.0 ** min(player.tries, 6)) * (0.5 + (player.device.number * 0.37) % 1)
        self._plan(time.monotonic() + wait, "connect", player)

    def _plan(self, at: float, act: str, player: Player) -> None:
        heapq.heappush(self._turns, _Turn(at, next(self._numbers), act, player))

    def _close(self) -> None:
        for player in self._players:
            if player.client.socket() is not None:
                player.client.disconnect()
        self._selector.close()
