"""Real servers for tests: PostgreSQL and NATS as `zhiwan up` starts them, one of each per test process, made on demand.

A test asks by fixture: `postgres` (Urls), `nats` (Address), or simply `django_db`, which migrates into the first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from zhiwan.run.embedded.nats import Address, EmbeddedNats, free_port
from zhiwan.run.embedded.postgres import EmbeddedPostgres, Urls


class Servers:
    """Starts what is asked for, once; stops all at the end. Also ends with this process when it is killed."""

    def __init__(self) -> None:
        self._data: Path | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._nats: EmbeddedNats | None = None
        self._urls: Urls | None = None
        self._address: Address | None = None

    @property
    def data(self) -> Path:
        """The data folder of this test process."""
        if self._data is None:
            # Short: a unix socket's path may have 107 bytes. Passable: the database runs as another account.
            self._data = Path(tempfile.mkdtemp(prefix="zw-"))
            self._data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        return self._data

    def postgres(self) -> Urls:
        """The database server; its environment is set for this process and its children."""
        if self._urls is None:
            self._postgres = EmbeddedPostgres(self.data, volatile=True)
            self._urls = self._postgres.start()
            os.environ["ZHIWAN_DATABASE_URL"] = self._urls.login
            os.environ["ZHIWAN_OWNER_DATABASE_URL"] = self._urls.owner
            os.environ.setdefault("ZHIWAN_DATA", str(self.data))
        return self._urls

    def nats(self) -> Address:
        """The bus; its environment is set for this process and its children."""
        if self._address is None:
            self._nats = EmbeddedNats(self.data, mqtt_port=free_port())
            self._address = self._nats.start()
            os.environ["ZHIWAN_NATS_URL"] = self._address.url
            os.environ["ZHIWAN_NATS_CREDENTIALS_FILE"] = str(self._address.credentials_file)
            os.environ.setdefault("ZHIWAN_DATA", str(self.data))
        return self._address

    def stop(self) -> None:
        """Stop what runs and remove the data."""
        if self._nats is not None:
            self._nats.stop()
        if self._postgres is not None:
            self._postgres.stop()
        if self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)


SERVERS = Servers()
