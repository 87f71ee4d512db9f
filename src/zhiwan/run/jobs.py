"""`zhiwan jobs`: does what must happen after a commit, from the queue in PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from asgiref.sync import sync_to_async
from django.db import DatabaseError
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector

from zhiwan.city.watch.heartbeat import beat

CONCURRENCY = 4
BEAT_SECONDS = 5.0
log = logging.getLogger(__name__)


def run_jobs() -> None:
    """Works until SIGTERM; a job under way is finished first."""
    asyncio.run(_work())


async def _work() -> None:
    connector = cast(DjangoConnector, app.connector)
    with app.replace_connector(connector.get_worker_connector()) as worker:
        async with worker.open_async():
            telling = asyncio.create_task(_tell())
            try:
                await worker.run_worker_async(name="zhiwan", concurrency=CONCURRENCY, delete_jobs="successful")
            finally:
                telling.cancel()


async def _tell() -> None:
    """A sign of life from the loop that does the work: a loop that hangs falls silent."""
    while True:
        try:
            await sync_to_async(beat)(process="jobs", at=timezone.now())
        except DatabaseError as problem:  # the next round tries again; /healthz says that we are silent
            log.warning("no sign of life could be written: %s", problem)
        await asyncio.sleep(BEAT_SECONDS)
