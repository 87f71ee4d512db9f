"""`zhiwan jobs`: does what must happen after a commit, from the queue in PostgreSQL."""

from __future__ import annotations

import logging

from procrastinate.contrib.django import app

CONCURRENCY = 4


def run_jobs() -> None:
    """Works until SIGTERM; a job under way is finished first."""
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    with app.replace_connector(app.connector.get_worker_connector()) as worker:
        worker.run_worker(name="zhiwan", concurrency=CONCURRENCY, delete_jobs="successful")
