"""The devices of a story: one stock MQTT client each, with its own id and secret, through the door of all devices."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from zhiwan.kernel.facts.errors import PartUnavailable

PATIENCE = 20.0


class DoorDoesNotOpen(PartUnavailable):
    code = "STORY-003"
    fact = "the MQTT door did not let {missing} devices of the story in"
    hint = "Is Zhiwan running (bin/up)? Its log of the door says why it refuses."


class Senders:
    """Connected clients."""

    def __init__(self, secrets: Mapping[str, str], *, host: str, port: int) -> None:
        self._clients: dict[str, Client] = {}
        for device, secret in secrets.items():
            client = Client(CallbackAPIVersion.VERSION2, client_id=device)
            client.username_pw_set(device, secret)
            client.connect_async(host, port, 60)
            client.loop_start()
            self._clients[device] = client
        end = time.monotonic() + PATIENCE
        while missing := [one for one in self._clients.values() if not one.is_connected()]:
            if time.monotonic() > end:
                self.close()
                raise DoorDoesNotOpen(missing=len(missing))
            time.sleep(0.05)

    def send(self, device: str, at: datetime, values: dict[str, Any]) -> None:
        """One report, stamped with the story's clock. QoS 1: what is lost on the way is sent again."""
        body = json.dumps({"at": at.isoformat(), "values": values})
        self._clients[device].publish(f"devices/{device}/telemetry", body, qos=1)

    def close(self) -> None:
        for client in self._clients.values():
            client.disconnect()
        for client in self._clients.values():
            client.loop_stop()
