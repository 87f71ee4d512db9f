"""Devices that come back all at once, as after a power cut: TCP, CONNECT, the door's answer, CONNACK.

    .venv/bin/python -m bench.reconnect [--devices 3000] [--at-once 400]

Every device signs in once, all connections are closed, and after a pause in which the door forgets what it knows they
all come back: `--at-once` of them are on their way at any moment, the next begins when one is in. The client only sends
CONNECT and waits for CONNACK, in one thread of the same machine. The promise is 15,000 within 60 s on two cores, so a
smaller number has that part of a minute.
"""

from __future__ import annotations

import resource
import selectors
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Result, arguments, percentile
from bench.product import register, running

TARGET, WITHIN = 15_000, 60.0
FORGOTTEN = 6.0  # longer than the door remembers (run/broker_door/lookup.py)
ACCEPTED = b"\x20\x02\x00\x00"
LONGEST = 180.0
#: Left for what the process holds besides the connections.
SPARE = 200


@dataclass
class Round:
    """One round of signing in."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    refused: int = 0
    broken: int = 0
    sockets: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def hello(device: str, secret: str) -> bytes:
    """An MQTT 3.1.1 CONNECT with a clean session."""

    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode()

    body = text("MQTT") + bytes([4, 0xC2]) + struct.pack(">H", 600) + text(device) + text(device) + text(secret)
    assert len(body) < 128  # one byte says the length
    return bytes([0x10, len(body)]) + body


def sign_in(port: int, devices: list[tuple[str, str]], at_once: int) -> Round:
    """All of them, `at_once` under way; the connections stay open."""
    found, waiting = Round(), iter(devices)
    began = time.monotonic()
    with selectors.DefaultSelector() as selector:
        under_way = 0

        def begin() -> bool:
            device = next(waiting, None)
            if device is None:
                return False
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            selector.register(one, selectors.EVENT_WRITE, (time.monotonic(), hello(*device)))
            return True

        while under_way < at_once and begin():
            under_way += 1
        while under_way and time.monotonic() - began < LONGEST:
            for key, events in selector.select(1.0):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                since, packet = key.data
                try:
                    if events & selectors.EVENT_WRITE:
                        one.send(packet)
                        selector.modify(one, selectors.EVENT_READ, (since, b""))
                        continue
                    answer = one.recv(4)
                except OSError:
                    answer = b""
                selector.unregister(one)
                found.sockets.append(one)
                if answer == ACCEPTED:
                    found.milliseconds.append((time.monotonic() - since) * 1000)
                elif answer:
                    found.refused += 1
                else:
                    found.broken += 1
                if not begin():
                    under_way -= 1
        for key in list(selector.get_map().values()):  # those that got no answer in all that time
            found.broken += 1
            assert isinstance(key.fileobj, socket.socket)
            found.sockets.append(key.fileobj)
    found.seconds = time.monotonic() - began
    return found


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--devices", type=int, default=3000)
    parser.add_argument("--at-once", type=int, default=400)
    parser.add_argument("--data", type=Path, help="data folder, kept; default: a temporary one")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < options.devices + SPARE:
        parser.error(f"{options.devices} connections need more open files than the {hard} allowed here (ulimit -Hn)")
    result = Result(
        "reconnect",
        "Devices coming back",
        data=f"{options.devices:,} registered devices",
        load=f"{options.at_once} on their way at any moment; CONNECT and CONNACK only",
    )
    with running("--no-demo", keep=options.data) as product:
        lines = register(product, options.devices, 0).read_text().splitlines()
        devices = [(line.split()[0], line.split()[1]) for line in lines]
        first = sign_in(product.mqtt_port, devices, options.at_once)
        first.close()
        time.sleep(FORGOTTEN)
        before = product.used()
        again = sign_in(product.mqtt_port, devices, options.at_once)
        after = product.used()
        again.close()
        result.add(
            "all come back",
            devices=len(devices),
            seconds=again.seconds,
            logins_per_second=len(again.milliseconds) / again.seconds,
            ms_p50=percentile(again.milliseconds, 0.5),
            ms_p99=percentile(again.milliseconds, 0.99),
            refused=again.refused,
            broken=again.broken,
            first_time_seconds=first.seconds,
            cpu_seconds={
                name: round(after[name].cpu - before[name].cpu, 2)
                for name in ("door", "nats", "postgres")
                if name in before and name in after
            },
        )
        limit = WITHIN * len(devices) / TARGET
        result.promise(
            f"{len(devices):,} devices are back within {limit:.0f} s ({TARGET:,} within {WITHIN:.0f} s), none refused",
            len(again.milliseconds) == len(devices) and again.seconds <= limit,
        )
    result.write(options.results)


if __name__ == "__main__":
    main()
