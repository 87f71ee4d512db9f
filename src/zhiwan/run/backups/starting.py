"""Starts a restored place as a person would, waits until it says it is healthy, and stops it again."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from zhiwan.run.health import Health, ask
from zhiwan.run.ports import is_free

MOST_SECONDS = 300.0
#: What belongs to the running Zhiwan and not to the place that is tried.
_OWN = ("ZHIWAN_DATA", "ZHIWAN_OWNER", "ZHIWAN_NATS", "ZHIWAN_SECRET", "ZHIWAN_URL", "ZHIWAN_LIVE", "ZHIWAN_AUDIT")


def until_healthy(place: Path) -> str:
    """Empty when it became healthy, else what was not well; the place is stopped when this returns."""
    port = _port()
    words = [sys.executable, "-m", "zhiwan.run.cli", "up", "--data", str(place), "--no-demo"]
    words += ["--port", str(port), "--mqtt-port", str(port + 2)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    process = subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    until = time.monotonic() + MOST_SECONDS
    health = Health(answered=False)
    try:
        while time.monotonic() < until and process.poll() is None:
            health = ask(f"http://127.0.0.1:{port}")
            if health.answered and not health.unwell:
                return ""
            time.sleep(0.25)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode not in (0, -signal.SIGINT) and not health.answered:
        return f"the restored place did not start: bin/up ended with {process.returncode}"
    return f"the restored place did not become healthy within {MOST_SECONDS:g} s: {', '.join(health.unwell)}"


def _port() -> int:
    while True:
        port = secrets.choice(range(30000, 32000, 10))
        if all(is_free(one) for one in (port, port + 1, port + 2)):
            return port
