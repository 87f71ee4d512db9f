"""The HTTP door: POST /api/v1/observations, open loop, with one, a hundred and a thousand rows a post.

    .venv/bin/python -m bench.http_door [--seconds 5] [--rates 40 40 20]

Latency runs from the intended send time to the answer (200 comes after the stream has stored every row). After each
case the drain gate: every accepted reading must be in the lake, once. The client is Python and shares the cores.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.gate import drain
from bench.measure import Result, arguments, per_million, percentile
from bench.product import Product, await_worker, register, running

THREADS = 8


class Sender:
    """Posts by a common schedule on connections that stay open."""

    def __init__(self, product: Product, rows: int, rate: float, seconds: float, devices: int) -> None:
        self._host = urlsplit(product.url).netloc
        self._token = product.demo["token"]
        self._rows, self._rate, self._devices = rows, rate, devices
        self._posts = int(rate * seconds)
        self._next = 0
        self._lock = threading.Lock()
        self.latencies: list[float] = []
        self.accepted = 0
        self.answers: dict[str, int] = {}

    def run(self) -> float:
        self._began = time.monotonic() + 0.1
        self.began_ms = int((time.time() + 0.1) * 1000)
        threads = [threading.Thread(target=self._send) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - self._began

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        while True:
            with self._lock:
                number, self._next = self._next, self._next + 1
            if number >= self._posts:
                return
            due = self._began + number / self._rate
            body = self._body(number)
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            try:
                connection.request("POST", "/api/v1/observations", body, headers)
                answer = connection.getresponse()
                said = answer.read()
                state = str(answer.status)
            except (OSError, http.client.HTTPException) as problem:
                connection.close()
                said, state = b"{}", type(problem).__name__
            with self._lock:
                self.latencies.append((time.monotonic() - due) * 1000)
                self.answers[state] = self.answers.get(state, 0) + 1
                if state == "200":
                    self.accepted += int(json.loads(said)["values"])

    def _body(self, number: int) -> bytes:
        found = []
        for n in range(number * self._rows, (number + 1) * self._rows):
            # Weather stations have the odd numbers; a device's times differ from row to row.
            device, turn = n % (self._devices // 2) * 2 + 1, n // (self._devices // 2)
            values = {"temperature": 10 + n % 100 / 10, "humidity": 40 + n % 40, "wind_speed": n % 120 / 10}
            found.append({"device": f"b{device}", "at": self.began_ms + turn, "values": values})
        return json.dumps(found, separators=(",", ":")).encode()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--rates", type=float, nargs="+", default=[40.0, 40.0, 15.0], help="posts a second, for each")
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--data", type=Path, help="data folder, kept; default: a temporary one")
    options = parser.parse_args()
    options.devices += options.devices % 2
    result = Result(
        "http",
        "The HTTP door",
        data=f"{options.devices:,} registered devices, shipped packs",
        load=f"open loop over {THREADS} connections, {options.seconds:g} s a case, three values a row",
    )
    with running("--no-demo", keep=options.data) as product:
        register(product, options.devices, 0)
        await_worker(product, options.devices)
        for rows, rate in zip(options.rows, options.rates, strict=True):
            before = product.used()
            sender = Sender(product, rows, rate, options.seconds, options.devices)
            took = sender.run()
            drained = drain(product.data / "lake", sender.began_ms, sender.accepted, 30)
            cpu = per_million(before, product.used(), sender.accepted)
            result.add(
                f"{rows} row(s) a post",
                posts_per_second_intended=rate,
                posts_per_second=sum(sender.answers.values()) / took,
                points_per_second=sender.accepted / took,
                ms_p50=percentile(sender.latencies, 0.5),
                ms_p99=percentile(sender.latencies, 0.99),
                answers=sender.answers,
                drain_seconds=drained.seconds,
                lost_points=max(0, sender.accepted - drained.distinct),
                doubled_points=drained.rows - drained.distinct,
                cpu_seconds_per_million_points=cpu,
            )
            result.promise(f"{rows} row(s) a post: every accepted reading is in the lake, once",
                           drained.complete and drained.rows == drained.distinct)  # fmt: skip
    result.write(options.results)


if __name__ == "__main__":
    main()
