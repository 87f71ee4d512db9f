"""What `zhiwan up` stands on: the data folder's lock, ports and their holders, children kept alive and ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zhiwan.city import supervised
from zhiwan.city.supervised import Supervised
from zhiwan.run.folder import DataFolder, FolderInUse
from zhiwan.run.ports import PortBusy, Wanted, is_free, require_free
from zhiwan.run.supervisor import Child, Supervisor


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakePart:
    """Ends when told; counts its starts."""

    name = "worker"

    def __init__(self) -> None:
        self.code: int | None = None
        self.ill: str | None = None
        self.starts = 0
        self.asked = self.stopped = False

    def start(self) -> None:
        self.starts += 1
        self.code = self.ill = None

    def complaint(self) -> str | None:
        return self.ill

    def exit_code(self) -> int | None:
        return self.code

    def begin_stop(self) -> None:
        self.asked = True

    def stop(self, grace: float) -> None:
        self.stopped = True


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_crashed_part_starts_again_with_growing_pauses_and_it_is_said() -> None:
    said: list[str] = []
    clock, part = Clock(), FakePart()
    supervisor = Supervisor(said.append, clock=clock)
    supervisor.run(part)
    pauses = []
    for _ in range(4):
        part.code = 1
        supervisor.look()
        crashed = clock.now
        while part.code is not None:
            clock.now += 0.25
            supervisor.look()
        pauses.append(clock.now - crashed)
    assert pauses == [0.5, 1.0, 2.0, 4.0]
    assert said[0] == "worker ended (exit code 1); starting it again in 0.5 s"


def test_a_part_that_was_steady_waits_briefly_again() -> None:
    clock, part = Clock(), FakePart()
    said: list[str] = []
    supervisor = Supervisor(said.append, clock=clock)
    supervisor.run(part)
    for _ in range(3):
        part.code = -signal.SIGKILL
        supervisor.look()
        clock.now += 100
        supervisor.look()
        clock.now += 100
    assert said == ["worker ended (killed by SIGKILL); starting it again in 0.5 s"] * 3


def test_a_part_that_is_ill_is_started_anew_and_how_all_are_is_told() -> None:
    told: list[dict[str, Supervised]] = []
    said: list[str] = []
    clock, part = Clock(), FakePart()
    supervisor = Supervisor(said.append, lambda parts: told.append(dict(parts)), clock=clock)
    supervisor.run(part)
    part.ill = "it stopped storing"
    supervisor.look()
    assert part.starts == 1
    clock.now += 1
    supervisor.look()
    assert part.starts == 2
    assert said == ["worker is ill (it stopped storing); starting it again in 0.5 s"]
    assert [(one["worker"].state, one["worker"].reason, one["worker"].crashes) for one in told] == [
        ("running", "", 0),
        ("ill", "it stopped storing", 1),
        ("running", "it stopped storing", 1),
    ]


def test_what_is_told_reaches_a_reader_also_when_it_shrinks(tmp_path: Path) -> None:
    many = {f"part{n}": Supervised("running", 1.0) for n in range(20)}
    supervised.write(tmp_path, many)
    supervised.write(tmp_path, {"worker": Supervised("ended", 2.0, "killed by SIGKILL", 3)})
    assert supervised.read(tmp_path) == {"worker": Supervised("ended", 2.0, "killed by SIGKILL", 3)}
    assert (tmp_path / supervised.NAME).stat().st_mode & 0o777 == 0o600
    assert supervised.read(tmp_path / "elsewhere") == {}


def test_parts_are_asked_together_and_stop_in_the_reverse_order() -> None:
    order: list[str] = []

    class Named(FakePart):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def begin_stop(self) -> None:
            order.append(f"ask {self.name}")

        def stop(self, grace: float) -> None:
            order.append(self.name)

    supervisor = Supervisor(order.append)
    for name in ("database", "worker", "web"):
        supervisor.run(Named(name))
    supervisor.stop_all()
    assert order == ["ask database", "ask worker", "ask web", "web", "worker", "database"]


def test_a_child_writes_its_own_log_and_stops(tmp_path: Path) -> None:
    child = Child("help", ["--help"], dict(os.environ), tmp_path / "logs" / "help.log")
    child.start()
    deadline = time.monotonic() + 20
    while child.exit_code() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert child.exit_code() == 0
    assert "city operating platform" in child.log.read_text(encoding="utf-8")
    child.stop(1.0)


def test_a_child_of_a_killed_parent_ends() -> None:
    """What a `kill -9` of `zhiwan up` relies on."""
    code = (
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "from zhiwan.run.embedded import child\n"
        "p = child.spawn([sys.executable, '-c', 'import time; time.sleep(60)'], log=Path(sys.argv[1]),"
        " user=child.ourselves(), death_signal=signal.SIGKILL)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, os.devnull], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while _lives(grandchild) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(grandchild)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_busy_port_is_named_with_its_holder_and_another_port(listener: int) -> None:
    with pytest.raises(PortBusy) as caught:
        require_free([Wanted(listener, "web and live", "--port", span=2)])
    texts = caught.value.as_dict()
    assert f"port {listener} (web and live) is in use" in texts["fact"]
    assert f"Process {os.getpid()} (" in texts["detail"]
    suggestion = int(texts["hint"].rsplit(" ", 1)[1])
    assert is_free(suggestion)
    assert is_free(suggestion + 1)


def test_the_port_beside_the_web_port_counts_too(listener: int) -> None:
    with pytest.raises(PortBusy) as caught:
        require_free([Wanted(listener - 1, "web and live", "--port", span=2)])
    assert caught.value.values["port"] in {listener - 1, listener}


def test_a_data_folder_in_use_is_named_with_its_holder(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path / "data"), DataFolder(tmp_path / "data")
    first.hold(what="zhiwan up, http://127.0.0.1:8000", started="2026-03-01T08:00:00+08:00")
    with pytest.raises(FolderInUse) as caught:
        second.hold(what="another", started="now")
    texts = caught.value.as_dict()
    assert f"Process {os.getpid()} holds it (zhiwan up, http://127.0.0.1:8000, started 2026-03-01" in texts["detail"]
    assert "--data DIR" in texts["hint"]


def test_private_files_are_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.secret_key().stat().st_mode & 0o777 == 0o600
    key = folder.secret_key().read_text(encoding="utf-8")
    assert len(key) > 40
    assert folder.secret_key().read_text(encoding="utf-8") == key
