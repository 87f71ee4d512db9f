"""The embedded servers of `zhiwan up`: PostgreSQL and NATS, unless URLs of others are given."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zhiwan.run.embedded.nats import EmbeddedNats
from zhiwan.run.embedded.postgres import EmbeddedPostgres
from zhiwan.run.folder import DataFolder
from zhiwan.run.options import Options
from zhiwan.run.supervisor import Supervisor


@dataclass
class EmbeddedPart:
    """PostgreSQL or NATS as a part the supervisor can keep alive."""

    name: str
    server: Any  # EmbeddedPostgres | EmbeddedNats: both have start(), stop(), exit_code, complaint()
    started: Any = field(default=None, repr=False)

    def start(self) -> None:
        self.started = self.server.start()

    def exit_code(self) -> int | None:
        code: int | None = self.server.exit_code
        return code

    def complaint(self) -> str | None:
        found: str | None = self.server.complaint()
        return found

    def begin_stop(self) -> None:
        """Nothing yet: what stores outlives what writes."""

    def stop(self, grace: float) -> None:
        self.server.stop()


def start_servers(
    options: Options,
    folder: DataFolder,
    supervisor: Supervisor,
    environment: dict[str, str],
    say: Callable[[str], None],
) -> str:
    """Starts the embedded servers that no URL replaces, writes their addresses into `environment`; the owner's URL."""
    if "ZHIWAN_DATABASE_URL" in os.environ:
        owner = os.environ.get("ZHIWAN_OWNER_DATABASE_URL", os.environ["ZHIWAN_DATABASE_URL"])
        environment.pop("ZHIWAN_OWNER_DATABASE_URL", None)
    else:
        postgres = EmbeddedPart("PostgreSQL", EmbeddedPostgres(folder.path))
        supervisor.run(postgres)
        owner, environment["ZHIWAN_DATABASE_URL"] = postgres.started.owner, postgres.started.login
        say("PostgreSQL answers")
    if "ZHIWAN_NATS_URL" not in os.environ:
        nats = EmbeddedPart("NATS", EmbeddedNats(folder.path, options.mqtt_port, mqtt_host=options.mqtt_host))
        supervisor.run(nats)
        environment["ZHIWAN_NATS_URL"] = nats.started.url
        environment["ZHIWAN_NATS_CREDENTIALS_FILE"] = str(nats.started.credentials_file)
        environment["ZHIWAN_DOOR_FILE"] = str(nats.started.door_file)
        environment["ZHIWAN_NATS_LOG"] = str(nats.started.log)
        say("NATS answers")
    return str(owner)
