"""A running Zhiwan to measure: `zhiwan up` with a data folder and ports of its own, stopped and removed at the end.

Devices are registered through the product's own actions, in a process of their own (python -m bench.register).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.measure import CACHE, CHECKOUT, Used, usage
from zhiwan.run.embedded import child as embedded
from zhiwan.run.ports import is_free

READY_WITHIN = 600.0
PART = re.compile(r"zhiwan\.run\.cli (\w+)")


class DidNotStart(Exception):
    """`zhiwan up` did not become ready; the text has its last words."""


@dataclass
class Product:
    """What runs, and where."""

    url: str
    mqtt_port: int
    data: Path
    process: subprocess.Popen[str]
    ready_seconds: float
    demo: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)  # the lines that `up` printed, those to come too

    def api(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.demo['token']}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60, trust_env=False)

    def link(self) -> str:
        """A fresh one-time sign-in link."""
        return self.run("zhiwan.run.cli", "link", "--data", str(self.data)).strip()

    def run(self, module: str, *words: str) -> str:
        """Run a module of ours beside the product; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", module, *words], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DidNotStart(f"{module} {' '.join(words)}:\n{done.stderr[-3000:]}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """The addresses its processes were given."""
        found: dict[str, str] = json.loads((self.data / "secrets" / "environment.json").read_text())
        return found

    def used(self) -> dict[str, Used]:
        """CPU and memory of every part."""
        return usage(self.process.pid, part_name)

    def health(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/healthz", timeout=20, trust_env=False)
        found: dict[str, Any] = answer.json()
        return found


def part_name(command: str) -> str | None:
    """The part a process belongs to, from its command line; None: that of its parent."""
    if match := PART.search(command):
        return match[1]
    if "nats-server" in command or "nats_server" in command:
        return "nats"
    return "postgres" if "postgres" in command.split(" ", 1)[0] else None


def free_ports() -> tuple[int, int]:
    """A web port whose neighbour is free too, and an MQTT port."""
    web = next(port for port in range(31000, 36000, 10) if is_free(port) and is_free(port + 1))
    return web, next(port for port in range(web + 2, 36999) if is_free(port))


@contextlib.contextmanager
def running(*options: str, packs: Path | None = None, keep: Path | None = None) -> Iterator[Product]:
    """The product, ready. `packs`: a folder with more packs; `keep`: a data folder that is not removed."""
    # Not below the checkout: PostgreSQL runs as another account there and must be able to pass every folder.
    data = keep or Path(tempfile.mkdtemp(prefix="zw-bench-"))
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    environment = {"ZHIWAN_PACKS": str(packs)} if packs is not None else {}
    product = None
    try:
        product = start(data, *options, ports=free_ports(), environment=environment)
        yield product
    finally:
        if product is not None:
            stop(product.process)
        keep_logs(data)
        if keep is None:
            shutil.rmtree(data, ignore_errors=True)


def start(data: Path, *options: str, ports: tuple[int, int], environment: Mapping[str, str]) -> Product:
    """`zhiwan up` on a data folder, ready; stopped again when it does not become so. `environment`: what it is told
    besides ours."""
    port, mqtt_port = ports
    told = {key: value for key, value in os.environ.items() if not key.startswith("ZHIWAN_")} | dict(environment)
    words = ["up", "--data", str(data), "--port", str(port), "--mqtt-port", str(mqtt_port), *options]
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "zhiwan.run.cli", *words],
        cwd=CHECKOUT,
        env=told,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # Whatever ends us, the product stops too, in good order.
        preexec_fn=embedded.become(embedded.ourselves(), signal.SIGINT),
    )
    try:
        said = _await_ready(process)
    except BaseException:
        stop(process)
        raise
    demo = json.loads((data / "demo.json").read_text(encoding="utf-8"))
    return Product(f"http://127.0.0.1:{port}", mqtt_port, data, process, time.monotonic() - began, demo, said)


def _await_ready(process: subprocess.Popen[str]) -> list[str]:
    lines: queue.Queue[str | None] = queue.Queue()
    said: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            lines.put(said[-1])
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + READY_WITHIN
    line: str | None = ""
    while not str(line).startswith("Sign in once"):
        try:
            line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
        except queue.Empty:
            line = None
        if line is None:
            raise DidNotStart("zhiwan up did not become ready:\n" + "\n".join(said[-20:]) + f"\nlogs: {CACHE / 'logs'}")
    return said


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def keep_logs(data: Path) -> None:
    """The logs of the last run outlive its data folder."""
    with contextlib.suppress(OSError):
        shutil.copytree(data / "logs", CACHE / "logs", dirs_exist_ok=True)


# -- devices -----------------------------------------------------------------------------------------------------


def register(product: Product, devices: int, probes: int) -> Path:
    """Registers the fleet; the file that the generator reads."""
    file = product.data / "secrets" / "bench-devices.txt"
    product.run("bench.register", str(product.data), str(devices), str(probes), str(file))
    return file


def await_worker(product: Product, devices: int, seconds: float = 60.0) -> None:
    """Returns when the worker has taken up the registry: a reading sent by the last device has become a value."""
    deadline = time.monotonic() + seconds
    with product.api() as api:
        while time.monotonic() < deadline:
            now = int(time.time() * 1000)
            api.post("/observations", json=[{"device": f"b{devices - 1}", "at": now, "values": {"pressure": 1000.0}}])
            time.sleep(1.0)
            answer = api.get(f"/entities/b{devices - 1}")
            if answer.status_code == 200 and "1000" in answer.text:
                return
    raise DidNotStart("the worker did not take up the registered devices")
