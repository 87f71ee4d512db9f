"""The whole loop: devices → MQTT → worker (decode, 200 rules, commit) → lake, and the alarm on an open page.

    .venv/bin/python -m bench.loop                                  the short form: 2,000 connections, two rates
    .venv/bin/python -m bench.loop --connections 5000 --rates 12500 25000 --seconds 30       the target
    .venv/bin/python -m bench.loop --connections 5000 --rates 5000 --readings 10 --seconds 30   batching devices
    .venv/bin/python -m bench.loop --connections 5000 --rates 25000 --seconds 900 --gate 900    fifteen minutes

Starts a Zhiwan of its own, without the demonstration, with 200 rules more in a pack of their own (ZHIWAN_PACKS), all of
them over what the fleet sends. `--rates` are messages a second; each rate is one run of the generator (open loop).
After each the drain gate: the run is only good when every acknowledged reading is in the lake, once. Alarm latency runs
from the *intended* send time of the reading that opens an alarm until its hint arrives on an open stream.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench.gate import drain
from bench.listener import Page, signed_in
from bench.measure import Result, Used, arguments, build_generator, per_million, percentile
from bench.product import Product, await_worker, register, running
from bench.register import PROBE_ABOVE, PROBE_CLEAR, SENDS
from bench.rules import make_rules, probe, watched_of, write_pack

LONGEST_LOGIN = 300.0


class Memory:
    """Samples the resident memory of every part once a second, beside the run."""

    def __init__(self, product: Product) -> None:
        self.series: dict[str, list[float]] = {}
        self._product = product
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(1.0):
            for name, used in self._product.used().items():
                self.series.setdefault(name, []).append(round(used.resident_mb))

    def stop(self) -> dict[str, float]:
        self._stop.set()
        self._thread.join(5)
        return {name: max(found) for name, found in self.series.items() if name in ("worker", "nats", "postgres")}


def generate(product: Product, devices: Path, rate: float, options: Any) -> tuple[dict[str, Any], dict[str, Used]]:
    """One run of the generator: its result, and what every part had used when the load began."""
    words = {
        "port": product.mqtt_port, "devices": devices, "connections": options.connections, "rate": rate,
        "seconds": options.seconds, "ramp": options.ramp, "readings": options.readings, "flip": options.flip,
        "messages-per-packet": options.messages_per_packet, "drain": options.drain,
    }  # fmt: skip
    command = [str(build_generator()), *(str(word) for pair in words.items() for word in (f"--{pair[0]}", pair[1]))]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
        before: dict[str, Used] = {}
        timer = threading.Timer(LONGEST_LOGIN + options.seconds + options.drain, process.terminate)
        timer.start()
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("CONNECTED"):
                    before = product.used()
                elif not line.startswith("DONE"):
                    print("  " + line.rstrip())
            process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        out.seek(0)
        found: dict[str, Any] = json.loads(out.read())
    return found, before


def run_rate(product: Product, devices: Path, rate: float, options: Any, page: Page, result: Result) -> None:
    heard = len(page.opened)
    alarms_before = alarms(product)
    memory = Memory(product)
    load, before = generate(product, devices, rate, options)
    points = 3 * options.readings
    drained = drain(product.data / "lake", int(load["began_ms"]), load["acked"] * points, options.gate)
    after = product.used()
    time.sleep(1.5)
    latencies = [delay for _, delay, at in page.opened[heard:] if at >= load["began_ms"]]
    opened = alarms(product) - alarms_before
    lost = max(0, load["acked"] * points - drained.distinct)
    doubled = drained.rows - drained.distinct
    cpu = per_million(before, after, load["acked"] * points)
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    acknowledged = load["acked"] * points / load["sending_seconds"]
    through = load["acked"] * points / (load["seconds"] + drained.seconds)
    result.add(
        f"{rate * points:,.0f} points/s intended",
        connections=f"{load['open_at_end']} of {load['connections']}",
        messages_per_second=rate,
        points_acknowledged_per_second=acknowledged,
        points_through_per_second_drain_included=through,
        not_sent=load["not_sent"],
        unanswered=load["unanswered"],
        puback_ms={key: load["milliseconds"]["puback"][key] for key in ("p50", "p99", "max")},
        alarm_ms_p50=p50,
        alarm_ms_p99=p99,
        alarms_heard_of_opened=f"{len(latencies)} of {opened}",
        drain_seconds=drained.seconds,
        lost_points=lost,
        doubled_points=doubled,
        cpu_seconds_per_million_points=cpu,
        cpu_platform_sum=sum(cpu.values()),
        cpu_generator=load["cpu_seconds"] / max(1, load["acked"] * points) * 1e6,
        highest_mb=memory.stop(),
    )
    result.more[f"load {rate:g}"] = load
    result.more[f"memory {rate:g}"] = memory.series
    result.promise(f"{rate:g} messages/s: every acknowledged reading is in the lake, once", lost == 0 and doubled == 0)
    kept_up = load["not_sent"] == 0 and drained.seconds < 10
    result.promise(f"{rate:g} messages/s: the loop keeps up (all sent, drained within 10 s)", kept_up)
    if latencies:
        result.promise(f"{rate:g} messages/s: alarm on an open page p99 < 1 s", p99 is not None and p99 < 1000)
    if page.problem:
        result.notes.append(f"The open page's stream ended: {page.problem}")


def alarms(product: Product) -> int:
    """Alarms of the bench's rules that were ever opened."""
    with product.api() as api:
        answer = api.get("/alarms", params={"pack": "base.bench", "size": 1})
        return int(answer.raise_for_status().json()["total"])


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--rates", type=float, nargs="+", default=[5000.0, 12500.0], help="messages a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each rate")
    parser.add_argument("--readings", type=int, default=1, help="readings a message (more than one: batching devices)")
    parser.add_argument("--messages-per-packet", type=int, default=1)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--window", default="2s", help="of the rules with a window: ten readings at five a second")
    parser.add_argument("--devices", type=int, default=5000, help="registered devices")
    parser.add_argument("--probes", type=int, default=40, help="devices whose alarms are timed")
    parser.add_argument("--flip", type=int, default=0, help="messages between a probe's flips; 0: every two seconds")
    parser.add_argument("--ramp", type=float, default=500.0, help="logins a second")
    parser.add_argument("--drain", type=float, default=10.0, help="seconds the generator waits for last answers")
    parser.add_argument("--gate", type=float, default=60.0, help="seconds the lake may take after the last answer")
    parser.add_argument("--pages", type=int, default=1, help="open live streams")
    parser.add_argument("--data", type=Path, help="data folder, kept; default: a temporary one")
    options = parser.parse_args()
    options.devices += options.devices % 2
    options.connections = min(options.connections, options.devices)
    flips = options.flip
    build_generator()
    result = Result(
        "loop" if options.readings == 1 else "loop_batching",
        "The whole loop" + (f", {options.readings} readings a message" if options.readings > 1 else ""),
        data=f"{options.devices:,} registered devices of two types; the shipped packs and {options.rules} rules over "
        "what is sent; PostgreSQL, NATS and lake of its own on the same machine",
        load=f"{options.connections:,} MQTT connections, QoS 1, open loop, {options.seconds:g} s a rate, "
        f"{options.readings} reading(s) of three values a message, {options.messages_per_packet} message(s) a packet, "
        f"windows of {options.window}, {options.probes} probes, {options.pages} open stream(s), generator on the same "
        "machine",
    )
    with tempfile.TemporaryDirectory(prefix="zw-bench-packs-") as folder:
        Path(folder).chmod(0o755)
        rules = [
            *make_rules(options.rules - 1, watched_of(SENDS, PROBE_ABOVE), options.window),
            probe("PumpStation.power", PROBE_ABOVE, PROBE_CLEAR),
        ]
        packs = write_pack(Path(folder), rules)
        with running("--no-demo", packs=packs, keep=options.data) as product:
            result.more["ready_seconds"] = product.ready_seconds
            devices = register(product, options.devices, options.probes)
            await_worker(product, options.devices)
            client = signed_in(product)
            pages = [Page(product) for _ in range(max(1, options.pages))]
            for page in pages:
                page.open(client)
            for rate in options.rates:
                options.flip = flips or max(1, round(rate / options.connections * 2))
                run_rate(product, devices, rate, options, pages[0], result)
            for page in pages:
                page.close()
    reloads = sum(page.reloads for page in pages)
    result.more["page_reloads"] = reloads
    result.notes.append(
        f"Ready {result.more['ready_seconds']:.1f} s after the start; {os.cpu_count()} cores are shared by platform, "
        f"generator and this script; pages were told {reloads} times to load anew."
    )
    result.write(options.results)


if __name__ == "__main__":
    main()
