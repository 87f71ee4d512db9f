"""`zhiwan jobs`: does what must happen after a commit, from the queue in PostgreSQL."""

from __future__ import annotations

from typing import cast

from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector

CONCURRENCY = 4


def run_jobs() -> None:
    """Works until SIGTERM; a job under way is finished first."""
    connector = cast(DjangoConnector, app.connector)
    with app.replace_connector(connector.get_worker_connector()) as worker:
        worker.run_worker(name="zhiwan", concurrency=CONCURRENCY, delete_jobs="successful")
