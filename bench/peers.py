"""What others do of the same work on this machine: InfluxDB 1.6 and VictoriaMetrics with vmalert, as Debian packs them.

    .venv/bin/python -m bench.peers                      2,000 devices, 4 M rows of history
    .venv/bin/python -m bench.peers --devices 40000      the district's week

They take line protocol over HTTP and know no devices, intake checks, cases or pages; they do not acknowledge what is on
disk but what they have read. Beside our figures stand theirs for the part they share: taking points in (three values a
message), answering history, and (vmalert) telling that a limit is crossed. One that is not installed is told so:
apt-get install influxdb victoria-metrics
"""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.history import A_DAY, START, TOWNS, day_of
from bench.measure import Result, arguments, percentile, usage

SENSORS, RULES, VALUES = 5000, 200, 3
LIMIT = 5.0


@dataclass
class Peer:
    """A running server."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    write: str  # path of the line protocol door

    def cpu(self) -> float:
        """Seconds used until now."""
        return usage(self.process.pid, lambda _words: None)["up"].cpu

    def post(self, path: str, body: bytes = b"", line: http.client.HTTPConnection | None = None) -> bytes:
        connection = line or http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST" if body else "GET", path, body or None)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{self.name} {path[:60]}: {answer.status} {text[:200]!r}")
        return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def influx(folder: Path) -> Iterator[Peer]:
    port, other = free_port(), free_port()
    configuration = folder / "influx.conf"
    configuration.write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:{other}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
index-version = "tsi1"
max-series-per-database = 0
max-values-per-tag = 0
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[monitor]
store-enabled = false
"""
    )
    with running(["influxd", "-config", str(configuration)], port, "/ping") as process:
        peer = Peer("InfluxDB 1.6", port, process, "/write?db=bench&precision=s")
        peer.post("/query?q=" + quote("CREATE DATABASE bench"), b" ")
        yield peer


@contextmanager
def victoria(folder: Path) -> Iterator[Peer]:
    port = free_port()
    command = ["victoria-metrics", f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}",
               "-retentionPeriod=100y", "-search.latencyOffset=0s", "-search.disableCache"]  # fmt: skip
    with running(command, port, "/health") as process:
        yield Peer("VictoriaMetrics", port, process, "/write?precision=s")


@contextmanager
def running(command: list[str], port: int, alive: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
                connection.request("GET", alive)
                if connection.getresponse().status < 500:
                    break
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


# -- taking in ---------------------------------------------------------------------------------------------------


def messages(second: int, count: int) -> list[bytes]:
    """`count` messages of three values, of as many devices."""
    at = 1_780_000_000 + second
    return [
        (
            f"level,device=d{n % SENSORS:05d},town=t{n % TOWNS} value={2 + n % 7 / 10},flow={n % 5},temp={n % 30} {at}"
        ).encode()
        for n in range(count)
    ]


def take_in(peer: Peer, result: Result, seconds: float) -> None:
    for case, size, lines in (("5,000 messages a request", 5000, 1), ("one message a request, 8 lines", 1, 8)):
        sent = [0] * lines
        until = time.monotonic() + seconds

        def send(number: int, size: int = size, sent: list[int] = sent, until: float = until) -> None:
            connection, second = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=60), number * 100_000
            pool = messages(second, 5000)
            while time.monotonic() < until:
                if size > 1:
                    pool, second = messages(second, size), second + 1
                start = sent[number] % 5000 if size == 1 else 0
                peer.post(peer.write, b"\n".join(pool[start : start + size]), connection)
                sent[number] += size

        before, own, began = peer.cpu(), time.process_time(), time.monotonic()
        threads = [threading.Thread(target=send, args=(number,)) for number in range(lines)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took, points = time.monotonic() - began, sum(sent) * VALUES
        result.add(
            f"{peer.name}: taking in, {case}",
            points_per_second=points / took,
            cpu_seconds_per_million_points=(peer.cpu() - before) / points * 1e6,
            cpu_generator=(time.process_time() - own) / points * 1e6,
        )


# -- history -----------------------------------------------------------------------------------------------------


def fill(peer: Peer, devices: int, days: int, result: Result) -> None:
    rows, began, before = devices * A_DAY * days, time.monotonic(), peer.cpu()
    for day in range(days):
        frame = day_of(devices, day).select("entity", "observed_at", "value")
        for part in frame.iter_slices(20_000):
            body = b"\n".join(
                f"water,device={entity},town=t{int(entity[1:]) % TOWNS} value={value} {int(at.timestamp())}".encode()
                for entity, at, value in part.iter_rows()
            )
            peer.post(peer.write, body)
    took = time.monotonic() - began
    result.add(
        f"{peer.name}: a week written",
        seconds=took,
        points_per_second=rows / took,
        cpu_seconds_per_million_points=(peer.cpu() - before) / rows * 1e6,
    )


def ask(peer: Peer, result: Result, case: str, path: str, repeats: int = 5) -> None:
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        body = peer.post(path)
        took.append((time.perf_counter() - began) * 1000)
    result.add(f"{peer.name}: {case}", ms_first=took[0], ms_p50=percentile(took[1:], 0.5), answer_bytes=len(body))


def history(peer: Peer, devices: int, days: int, result: Result) -> None:
    fill(peer, devices, days, result)
    start, end = int(START.timestamp()), int(START.timestamp()) + days * 86400 - 1
    one = f"s{devices // 2:05d}"
    if peer.name.startswith("Influx"):
        where = f"time >= {start}s AND time <= {end}s"
        base = "/query?db=bench&epoch=s&q="
        ask(peer, result, "a week by town, hourly",
            base + quote(f"SELECT mean(value) FROM water WHERE {where} GROUP BY time(1h), town"))  # fmt: skip
        ask(peer, result, "one device's week, every reading",
            base + quote(f"SELECT value FROM water WHERE device = '{one}' AND {where}"))  # fmt: skip
    else:
        peer.post("/internal/force_flush")
        span = f"&start={start}&end={end}&nocache=1"
        query = quote("avg by (town) (avg_over_time(water_value[1h]))")
        ask(peer, result, "a week by town, hourly", f"/api/v1/query_range?query={query}&step=3600{span}")
        match = quote(f'water_value{{device="{one}"}}')
        ask(peer, result, "one device's week, every reading", f"/api/v1/export?match[]={match}{span}")


# -- alarms ------------------------------------------------------------------------------------------------------


def alarms(peer: Peer, folder: Path, result: Result, rate: int, probes: int) -> None:
    """200 rules over 5,000 series, asked every second; from the write of a probe to the POST that tells of it."""
    heard: dict[str, float] = {}

    class Notifier(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            for one in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
                heard.setdefault(one["labels"].get("device", ""), time.monotonic())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            """Quiet."""

    rules = [
        {"alert": f"high{n}", "expr": f"level_value > {LIMIT + n / 1000}", "labels": {"rule": str(n)}}
        for n in range(RULES)
    ]
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": rules}]}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Notifier)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    command = ["vmalert", f"-rule={folder}/rules.yml", f"-datasource.url=http://127.0.0.1:{peer.port}",
               f"-notifier.url=http://127.0.0.1:{server.server_port}", f"-httpListenAddr=127.0.0.1:{port}",
               "-evaluationInterval=1s"]  # fmt: skip
    sent: dict[str, float] = {}
    points, before = 0, peer.cpu()
    with running(command, port, "/health") as vmalert:
        began = time.monotonic()
        for second in range(probes):
            lines = [line.rpartition(b" ")[0] for line in messages(0, rate)]
            probe = f"probe{second}"
            lines.append(f"level,device={probe},town=t0 value=9,flow=1,temp=1".encode())
            sent[probe] = time.monotonic()
            peer.post(peer.write.partition("?")[0], b"\n".join(lines))
            points += len(lines) * VALUES
            time.sleep(max(0.0, began + second + 1.03 - time.monotonic()))
        time.sleep(4)
        cpu = peer.cpu() - before + usage(vmalert.pid, lambda _words: None)["up"].cpu
    server.shutdown()
    waits = [(heard[probe] - moment) * 1000 for probe, moment in sent.items() if probe in heard]
    result.add(
        f"VictoriaMetrics with vmalert: {RULES} rules every second, {rate * VALUES:,} points/s",
        alarm_ms_p50=percentile(waits, 0.5),
        alarm_ms_p99=percentile(waits, 0.99),
        heard_of_sent=f"{len(waits)} of {len(sent)}",
        cpu_seconds_per_million_points=cpu / points * 1e6,
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--devices", type=int, default=2000, help="of the history")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each way of taking in")
    parser.add_argument("--rate", type=int, default=5000, help="messages a second beside the alarms")
    parser.add_argument("--probes", type=int, default=20)
    options = parser.parse_args()
    result = Result(
        "peers",
        "Peers: InfluxDB 1.6, VictoriaMetrics with vmalert",
        data=f"history: {options.devices * A_DAY * options.days:,} rows; {SENSORS:,} devices of three values",
        load="line protocol over HTTP from Python on the same machine; history: one reader, 5 repeats",
    )
    servers: tuple[tuple[str, Callable[[Path], Any]], ...] = (("influxd", influx), ("victoria-metrics", victoria))
    for program, start in servers:
        if shutil.which(program) is None:
            result.notes.append(f"{program} is not installed: apt-get install influxdb victoria-metrics")
            continue
        with tempfile.TemporaryDirectory(prefix="zw-peer-") as name, start(Path(name)) as peer:
            take_in(peer, result, options.seconds)
            history(peer, options.devices, options.days, result)
            if program == "victoria-metrics" and shutil.which("vmalert"):
                alarms(peer, Path(name), result, options.rate, options.probes)
    result.notes.append(
        "They acknowledge what they have read, not what is stored safely; our doors acknowledge what is stored."
    )
    result.write(options.results)


if __name__ == "__main__":
    main()
