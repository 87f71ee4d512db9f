"""One running product with its gauges, its eyes and its small file systems: what a fault is done to."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench import product as products
from bench.faults import checks
from bench.faults.eyes import Eyes
from bench.faults.fleet import Fleet
from bench.faults.mounts import limited
from bench.measure import CHECKOUT
from bench.product import Product

PACKS = Path(__file__).with_name("packs")
GAUGES, BY_HTTP = 80, 10


@dataclass
class Stage:
    """Everything a fault needs. `no_mounts`: why there are no limited file systems, where there are none."""

    product: Product
    ports: tuple[int, int]
    environment: dict[str, str]
    no_mounts: str | None = None
    fleet: Fleet = field(init=False)
    eyes: Eyes = field(init=False)

    @property
    def data(self) -> Path:
        return self.product.data

    def flow(self, seconds: float) -> None:
        """Let time pass while gauges send."""
        time.sleep(seconds)

    def restart(self) -> None:
        """`zhiwan up` again on the same data and ports, after all of it was killed."""
        self.product = products.start(self.data, "--no-demo", ports=self.ports, environment=self.environment)

    def database(self) -> str:
        return self.product.environment()["ZHIWAN_DATABASE_URL"]

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database(), connect_timeout=5) as connection:
            connection.execute(
                "SELECT set_config('role', 'zhiwan_district', false), set_config('zhiwan.space', 'live', false)"
            )
            return connection.execute(query).fetchall()

    def refusals(self) -> dict[str, int]:
        """What the product counted as refused, by code."""
        rows = self.ask("SELECT code, sum(count)::int FROM watch_doorcounter WHERE code <> 'taken' GROUP BY code")
        return {str(code): int(str(count)) for code, count in rows}

    def settle(self, seconds: float) -> checks.Findings:
        """Gauges rest; returns when all they sent is where it belongs, or after the time."""
        self.fleet.rest()
        end = time.monotonic() + seconds
        while not self.fleet.settled() and time.monotonic() < end:
            time.sleep(0.2)
        accepted = self.fleet.accepted()
        found = checks.until_good(
            lambda: checks.check(self.data, self.database(), accepted), max(5.0, end - time.monotonic())
        )
        if not self.fleet.settled():
            found.add("measured and not accepted", [f"{self.fleet.sent - self.fleet.taken()} readings"])
        return found


@contextlib.contextmanager
def open_stage(browser: str, environment: Mapping[str, str] | None = None, mounts: bool = True) -> Iterator[Stage]:
    """A product without demonstration, with the gauges registered and flowing."""
    folder = Path(tempfile.mkdtemp(prefix="zw-faults-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    data = folder / "data"
    data.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    told = {"ZHIWAN_PACKS": str(PACKS), **(environment or {})}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        why = stack.enter_context(limited(data, folder)) if mounts else "not asked for"
        stage = Stage(None, products.free_ports(), told, why)  # type: ignore[arg-type]
        stage.product = products.start(data, "--no-demo", ports=stage.ports, environment=told)
        stack.callback(products.keep_logs, data)
        stack.callback(lambda: products.stop(stage.product.process))
        secrets = register(data)
        demo = stage.product.demo
        stage.fleet = Fleet(secrets, stage.product.mqtt_port, stage.product.url, demo["token"], BY_HTTP)
        stack.callback(stage.fleet.close)
        stage.eyes = Eyes(lambda: stage.product, browser)
        stage.eyes.open()
        stack.callback(stage.eyes.close)
        stage.fleet.flow()
        stage.eyes.await_lamp()
        yield stage


def register(data: Path) -> dict[str, str]:
    """Registers the gauges; the secret of each."""
    command = [sys.executable, "-m", "bench.faults.registering", str(data), str(GAUGES)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found
