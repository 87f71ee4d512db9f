"""`zhiwan up` as a person meets it when things go wrong: killed, started twice, its ports taken, a process crashed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from running import Product, free_ports, start_product, stop_product, wait_until
from zhiwan.run.health import ask
from zhiwan.run.ports import is_free

pytestmark = pytest.mark.journey  # it starts everything: nothing else may run beside it


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The district without simulated devices."""
    running = start_product(tmp_path_factory.mktemp("up") / "data", "--no-demo")
    yield running
    stop_product(running)


def up(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zhiwan.run.cli", "up", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def pid_of(product: Product) -> int:
    assert product.process is not None
    return product.process.pid


def descendants(pid: int) -> dict[int, str]:
    """Every process below `pid`, with its command line."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, fresh = set[int](), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh}
        found |= fresh
    return {one: command(one) for one in found}


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def alive(pids: dict[int, str]) -> dict[int, str]:
    """Those that still run the same command (a number may be given to another process)."""
    return {pid: was for pid, was in pids.items() if was and command(pid) == was}


def test_demo_json_is_private_and_whole(small: Product) -> None:
    file = small.data / "demo.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert small.demo["url"] == small.url
    assert small.demo["mqtt_port"] == small.mqtt_port
    assert {"name", "password", "role"} <= small.demo["accounts"][0].keys()
    assert len({account["password"] for account in small.demo["accounts"]}) == len(small.demo["accounts"])


def test_a_second_up_on_the_same_data_is_told_who_holds_it(small: Product) -> None:
    port, mqtt_port = free_ports()
    second = up("--data", str(small.data), "--port", str(port), "--mqtt-port", str(mqtt_port))
    assert second.returncode == 2
    assert f"the data folder {small.data} is in use" in second.stderr
    assert f"Process {pid_of(small)} holds it" in second.stderr
    assert "--data DIR" in second.stderr


def test_a_busy_port_is_named_and_another_suggested(small: Product, tmp_path: Path) -> None:
    _, mqtt_port = free_ports()
    port = small.url.rsplit(":", 1)[1]
    second = up("--data", str(tmp_path / "data"), "--port", port, "--mqtt-port", str(mqtt_port))
    assert second.returncode == 2
    assert f"port {port} (web and live) is in use" in second.stderr
    assert "bin/up --port" in second.stderr


def test_a_busy_mqtt_port_is_named_too(tmp_path: Path) -> None:
    port, mqtt_port = free_ports()
    with socket.socket() as server:
        server.bind(("127.0.0.1", mqtt_port))
        server.listen()
        refused = up("--data", str(tmp_path / "data"), "--port", str(port), "--mqtt-port", str(mqtt_port))
    assert refused.returncode == 2
    assert f"port {mqtt_port} (MQTT) is in use" in refused.stderr
    assert f"Process {os.getpid()}" in refused.stderr


def test_a_killed_worker_is_started_again_and_up_says_so(small: Product) -> None:
    def workers() -> list[int]:
        return [pid for pid, line in descendants(pid_of(small)).items() if line.endswith("zhiwan.run.cli worker ")]

    (first,) = workers()
    os.kill(first, signal.SIGKILL)
    (second,) = wait_until(lambda: [pid for pid in workers() if pid != first], "a new worker")
    assert second != first
    wait_until(lambda: any("worker ended (killed by SIGKILL)" in line for line in small.read_said()), "word of it")


@pytest.mark.parametrize(("name", "server"), [("NATS", "nats-server"), ("PostgreSQL", "bin/postgres")])
def test_a_killed_server_comes_back_and_the_processes_with_it(small: Product, name: str, server: str) -> None:
    found = descendants(pid_of(small))
    (pid,) = [pid for pid, line in found.items() if f"{server} -" in line] or pytest.fail(
        f"{found} {small.read_said()}"
    )
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: any(f"{name} ended" in line for line in small.read_said()), "word of it")
    wait_until(lambda: not ask(small.url).unwell, "every part to be well again", seconds=60)


def test_a_link_signs_in_once(small: Product) -> None:
    with small.browserless() as client:
        link = small.new_link()
        client.get(link)
        assert client.get("/alarms", follow_redirects=False).status_code == 200
    with small.browserless() as client:
        client.get(link)
        assert client.get("/alarms", follow_redirects=False).status_code == 302


def test_kill_9_of_up_leaves_nothing_running(tmp_path: Path) -> None:
    running = start_product(tmp_path / "data", "--no-demo")
    started = descendants(pid_of(running))
    assert len(started) >= 7, started
    assert running.process is not None
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not alive(started), "every child to end", seconds=30)
    assert is_free(int(running.url.rsplit(":", 1)[1]))
    assert is_free(running.mqtt_port)
    # What was killed starts again, warm, from the same folder.
    again = start_product(tmp_path / "data", "--no-demo")
    started = descendants(pid_of(again))
    assert again.process is not None
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(40) == 0
    assert not alive(started), "Ctrl-C stops all that was started"
