"""The database server ends with whoever started it, keeps its data, and lets nobody in without a password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from zhiwan.run.embedded import child
from zhiwan.run.embedded.child import FolderInUse
from zhiwan.run.embedded.nats import EmbeddedNats, free_port
from zhiwan.run.embedded.postgres import EmbeddedPostgres

STARTER = """
import sys, time
from pathlib import Path
from zhiwan.run.embedded.postgres import EmbeddedPostgres
from zhiwan.run.embedded.nats import EmbeddedNats
postgres = EmbeddedPostgres(Path(sys.argv[1]), volatile=True)
nats = EmbeddedNats(Path(sys.argv[1]), int(sys.argv[2]))
login = postgres.start().login
nats.start()
print(postgres.pid, nats.pid, login, flush=True)
time.sleep(60)
"""


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="zw-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_parent_leaves_no_server_and_a_folder_that_starts_again(data: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTER, data, str(free_port())], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    postgres, nats, login = parent.stdout.readline().split()
    psycopg.connect(login).close()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    end = time.monotonic() + 10
    while (is_alive(int(postgres)) or is_alive(int(nats))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_alive(int(postgres))
    assert not is_alive(int(nats))
    again = EmbeddedPostgres(data, volatile=True)
    with psycopg.connect(again.start().login) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    again.stop()


def test_a_second_server_on_the_same_folder_is_refused_by_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child.lock_folder, "__defaults__", (0.3,))
    first = EmbeddedNats(data, free_port())
    first.start()
    try:
        with pytest.raises(FolderInUse) as refused:
            EmbeddedNats(data, free_port()).start()
        assert str(os.getpid()) in str(refused.value)
        assert "--data" in refused.value.as_dict()["hint"]
    finally:
        first.stop()


def test_a_deep_folder_gets_a_short_socket_elsewhere(data: Path) -> None:
    deep = data / ("d" * 60) / ("e" * 60)
    server = EmbeddedPostgres(deep, volatile=True)
    try:
        login = server.start().login
        assert not server.socket.is_relative_to(data)
        assert server.socket.stat().st_mode & 0o777 == 0o700
        psycopg.connect(login).close()
    finally:
        server.stop()
    assert not server.socket.exists()


class TestRoles:
    def test_the_login_role_needs_its_password(self, postgres: object) -> None:
        url = os.environ["ZHIWAN_DATABASE_URL"]
        head, tail = url.split("@", 1)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"{head.rsplit(':', 1)[0]}:wrong@{tail}")

    def test_the_login_role_holds_nothing_by_itself_and_takes_a_scope(self, migrated: object) -> None:
        with psycopg.connect(os.environ["ZHIWAN_DATABASE_URL"], autocommit=True) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT count(*) FROM registry_entity")
            connection.execute("SET ROLE zhiwan_district")
            assert connection.execute("SELECT count(*) FROM registry_entity").fetchone() is not None
            connection.execute("RESET ROLE")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SET ROLE zhiwan_owner")

    def test_no_tcp_port_is_open(self, postgres: object) -> None:
        with psycopg.connect(os.environ["ZHIWAN_DATABASE_URL"]) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
