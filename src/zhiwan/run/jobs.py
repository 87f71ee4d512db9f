"""`zhiwan jobs`: does what must happen after a commit, from the queue in PostgreSQL."""

from __future__ import annotations

from procrastinate.contrib.django import app

from zhiwan.city.jobs.connector import worker_connector

CONCURRENCY = 4


def run_jobs() -> None:
    """Works until SIGTERM; a job under way is finished first."""
    with app.replace_connector(worker_connector()) as worker:
        worker.run_worker(name="zhiwan", concurrency=CONCURRENCY, delete_jobs="successful")
