"""The data folder: everything one running Zhiwan keeps on this machine, and the lock that makes it the only one.

postgres/  nats/  lake/  logs/     the embedded servers, the lake and one log file per process
lock                               held (flock) while running; its text says by whom
secret.key                         Django's signing key, made once, mode 600
demo.json                          addresses, token, accounts and one device's secret, mode 600
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zhiwan.city.files import private_file
from zhiwan.kernel.facts.errors import InputRefused


class FolderInUse(InputRefused):
    code = "UP-001"
    fact = "the data folder {path} is in use"
    detail = "Process {pid} holds it ({what}, started {started})."
    hint = "Stop that one (Ctrl-C in its window, or kill {pid}), or choose another folder: bin/up --data DIR"


class FolderNotWritable(InputRefused):
    code = "UP-002"
    fact = "the data folder {path} cannot be used"
    detail = "{why}."
    hint = "Choose a folder that belongs to {user}: bin/up --data DIR"


_OURS = ("ZHIWAN_", "DJANGO_SETTINGS_MODULE")


@dataclass
class DataFolder:
    path: Path
    _lock: int | None = field(default=None, repr=False)

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def demo_file(self) -> Path:
        return self.path / "demo.json"

    @property
    def secret_key_file(self) -> Path:
        return self.path / "secret.key"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def hold(self, *, what: str, started: str) -> None:
        """Makes the folder and takes its lock for the life of this process; raises FolderInUse or FolderNotWritable."""
        try:
            # 711 for root: PostgreSQL then runs as another account, which must be able to pass.
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
            self.logs.mkdir(exist_ok=True)
            # A folder of another user (root's, say) would fail much later and less plainly inside PostgreSQL.
            if self.path.stat().st_uid != os.getuid():
                raise PermissionError(f"it belongs to user id {self.path.stat().st_uid}")
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            user = os.environ.get("USER") or f"user id {os.getuid()}"
            raise FolderNotWritable(path=self.path, why=problem.strerror or problem, user=user) from problem
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read_holder(lock)
            os.close(lock)
            raise FolderInUse(path=self.path, **holder) from None
        os.ftruncate(lock, 0)
        os.write(lock, json.dumps({"pid": os.getpid(), "what": what, "started": started}).encode())
        self._lock = lock

    def secret_key(self) -> Path:
        """The file with the signing key; made at the first start."""
        if not self.secret_key_file.exists():
            private_file(self.secret_key_file, secrets.token_urlsafe(48))
        return self.secret_key_file

    @property
    def environment_file(self) -> Path:
        return self.path / "secrets" / "environment.json"

    def write_environment(self, environment: Mapping[str, str]) -> None:
        """Keeps the addresses for commands that are started later, beside the running processes."""
        told = {key: value for key, value in environment.items() if key.startswith(_OURS)}
        private_file(self.environment_file, json.dumps(told, indent=1))

    def adopt_environment(self) -> None:
        """Takes the addresses of the Zhiwan that keeps its data here, where the environment does not say them."""
        with contextlib.suppress(FileNotFoundError):
            for key, value in json.loads(self.environment_file.read_text(encoding="utf-8")).items():
                os.environ.setdefault(key, value)

    def read_demo(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads(self.demo_file.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        return {}


def _read_holder(lock: int) -> dict[str, Any]:
    with contextlib.suppress(ValueError, OSError):
        found = json.loads(os.pread(lock, 4096, 0))
        if isinstance(found, dict):
            return found
    return {}
