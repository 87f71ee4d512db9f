"""Gauges that send as real ones do, and the register of what was acknowledged to them.

Most speak MQTT with a stock client (paho), the others post to the HTTP door. Each keeps its readings in order and sends
the next one when the last was acknowledged (PUBACK, or 200); a reading without an answer is sent again until there is
one. So in the end every reading is accepted, and what must be in the lake is known by construction.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho

from bench.faults.signals import EVERY, ROUND, Reading, reading

PATIENCE = 5.0  # seconds a device waits for an answer before it connects anew
MOST_ROWS = 200  # readings of one post
HTTP_PAUSE = 0.4


@dataclass
class Gauge:
    """One device with what it still has to send."""

    index: int
    id: str
    next: int = 0
    waiting: deque[Reading] = field(default_factory=deque)
    accepted: list[Reading] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def measure(self, at: int) -> None:
        with self.lock:
            self.waiting.append(reading(self.index, self.next, at))
            self.next += 1

    def may_rest(self) -> bool:
        """Not right after the one low reading of a round: resting there would make it last."""
        return (self.next - 1 + self.index * 7) % ROUND != 45

    def settled(self) -> bool:
        with self.lock:
            return not self.waiting

    def was_accepted(self, count: int) -> None:
        with self.lock:
            self.accepted += [self.waiting.popleft() for _ in range(count)]


class MqttGauge(Gauge):
    """A gauge on a paho client: QoS 1, one message under way."""

    def connect(self, port: int, secret: str, counts: Counter[str]) -> None:
        self.counts, self.under_way, self.since = counts, False, 0.0
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=self.id, protocol=paho.MQTTv311)
        client.username_pw_set(self.id, secret)
        client.reconnect_delay_set(1, 2)
        client.on_publish = self._acknowledged
        client.on_disconnect = self._parted
        client.on_connect = self._connected
        client.connect_async("127.0.0.1", port)
        client.loop_start()
        self.client = client

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self.counts["login refused"] += 1
        self.since = time.monotonic()

    def _parted(self, *told: Any) -> None:
        self.counts["connection closed"] += 1

    def _acknowledged(self, *told: Any) -> None:
        self.was_accepted(1)
        self.under_way = False
        self.send()

    def send(self) -> None:
        """The next reading, when none is under way. paho sends it again by itself after a reconnect."""
        with self.lock:
            if self.under_way or not self.waiting or not self.client.is_connected():
                return
            self.under_way, self.since = True, time.monotonic()
            one = self.waiting[0]
        body = json.dumps({"at": one.at, "values": {"level": one.level, "battery": one.battery}})
        self.client.publish(f"devices/{self.id}/telemetry", body, qos=1)

    def look(self) -> None:
        """A device that gets no answer hangs up and calls again: MQTT has no other way to ask once more."""
        if self.under_way and self.client.is_connected() and time.monotonic() - self.since > PATIENCE:
            self.counts["no answer"] += 1
            self.hang_up()
        self.send()

    def hang_up(self) -> None:
        self.since = time.monotonic()
        try:
            self.client.reconnect()
        except OSError:
            self.counts["cannot connect"] += 1

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class HttpGauges:
    """Gauges whose readings go through POST /api/v1/observations, all in one post."""

    def __init__(self, url: str, token: str, gauges: Sequence[Gauge], counts: Counter[str]) -> None:
        self._host, self._token, self.gauges, self.counts = urlsplit(url).netloc, token, gauges, counts
        self.refusals: dict[str, str] = {}  # the last words of each kind of answer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="http-gauges", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(HTTP_PAUSE):
            taken = []
            for gauge in self.gauges:
                with gauge.lock:
                    taken.append((gauge, list(gauge.waiting)[: MOST_ROWS // len(self.gauges)]))
            rows = [
                {"device": gauge.id, "at": one.at, "values": {"level": one.level, "battery": one.battery}}
                for gauge, readings in taken
                for one in readings
            ]
            if rows and self._post(rows):
                for gauge, readings in taken:
                    gauge.was_accepted(len(readings))

    def _post(self, rows: list[dict[str, Any]]) -> bool:
        """Whether all rows were accepted; otherwise all of them are posted again."""
        connection = http.client.HTTPConnection(self._host, timeout=15)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/api/v1/observations", json.dumps(rows), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            self.counts[f"HTTP {type(problem).__name__}"] += 1
            return False
        finally:
            connection.close()
        if answer.status != 200:
            self.counts[f"HTTP {answer.status}"] += 1
            self.refusals[f"HTTP {answer.status}"] = body.decode("utf-8", "replace")[:500]
            return False
        refused = json.loads(body)["refused"]
        if refused and {one["code"] for one in refused} == {"TOO_NEW"}:
            # Rightly: the clock behind the door was stepped back. They are posted again until it is right.
            self.counts["HTTP row TOO_NEW"] += 1
            return False
        if refused:
            raise AssertionError(f"the HTTP door refused rows that are sound: {refused[:3]}")
        return True

    def close(self) -> None:
        self._stop.set()
        self._thread.join(20)


class Fleet:
    """All gauges. They measure while `flowing`; what they measured they send in any case."""

    def __init__(self, secrets: Mapping[str, str], mqtt_port: int, url: str, token: str, by_http: int) -> None:
        self.counts: Counter[str] = Counter()
        names = list(secrets)
        self.mqtt = [MqttGauge(n, name) for n, name in enumerate(names[:-by_http])]
        posting = [Gauge(n, name) for n, name in enumerate(names[-by_http:], len(self.mqtt))]
        self.gauges: list[Gauge] = [*self.mqtt, *posting]
        for gauge in self.mqtt:
            gauge.connect(mqtt_port, secrets[gauge.id], self.counts)
            time.sleep(0.01)
        self.http = HttpGauges(url, token, posting, self.counts)
        self._flowing = self._stop = False
        self._due: dict[int, float] = {}
        self._thread = threading.Thread(target=self._drive, name="fleet", daemon=True)
        self._thread.start()

    def flow(self) -> None:
        """From now on measure."""
        now = time.time()
        self._due = {gauge.index: now + EVERY * gauge.index / len(self.gauges) for gauge in self.gauges}
        self._flowing = True

    def rest(self) -> None:
        self._flowing = False

    def _drive(self) -> None:
        while not self._stop:
            now = time.time()
            for gauge in self.gauges:
                while (due := self._due.get(gauge.index)) is not None and due <= now:
                    if not self._flowing and gauge.may_rest():
                        del self._due[gauge.index]
                        break
                    gauge.measure(int(due * 1000))
                    self._due[gauge.index] = due + EVERY
            for gauge in self.mqtt:
                gauge.look()
            time.sleep(0.02)

    def call_again(self, count: int) -> None:
        """So many gauges lose their connection and log in anew."""
        for gauge in self.mqtt[:count]:
            gauge.hang_up()

    def settled(self) -> bool:
        """Whether every reading that was measured is accepted."""
        return not self._due and all(gauge.settled() for gauge in self.gauges)

    def accepted(self) -> dict[str, list[Reading]]:
        return {gauge.id: list(gauge.accepted) for gauge in self.gauges}

    @property
    def sent(self) -> int:
        return sum(gauge.next for gauge in self.gauges)

    def taken(self) -> int:
        return sum(len(gauge.accepted) for gauge in self.gauges)

    def close(self) -> None:
        self._stop = True
        self._thread.join(10)
        for gauge in self.mqtt:
            gauge.close()
        self.http.close()
