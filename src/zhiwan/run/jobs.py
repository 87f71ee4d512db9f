"""`zhiwan jobs`: does what must happen after a commit, from the queue in PostgreSQL."""

from __future__ import annotations

from procrastinate import App, JobContext
from procrastinate.contrib.django import app

from zhiwan.city.jobs.connector import worker_connector
from zhiwan.city.portal import uploads
from zhiwan.city.watch.follow_up import QUEUE

CONCURRENCY = 4


def run_jobs() -> None:
    """Works until SIGTERM; a job under way is finished first."""
    again = app.task(name="zhiwan.jobs.begin_again", queue=QUEUE, pass_context=True)(begin_again)
    app.periodic(cron="* * * * *")(again)
    app.periodic(cron="11 * * * *")(app.task(name="zhiwan.jobs.forget_uploads", queue=QUEUE)(forget_uploads))
    with app.replace_connector(worker_connector()) as worker:
        worker.run_worker(name="zhiwan", concurrency=CONCURRENCY, delete_jobs="successful")


async def begin_again(context: JobContext, timestamp: int) -> None:
    """Once a minute: what a killed process left half done."""
    await retry_stalled(context.app)


def forget_uploads(timestamp: int) -> None:
    """Once an hour: lists of people and secrets that nobody came back for."""
    uploads.forget_old()


async def retry_stalled(worker: App) -> int:
    """Jobs whose process gave no sign for half a minute wait anew; their locks would hold others up for good."""
    stalled = list(await worker.job_manager.get_stalled_jobs(queue=QUEUE))
    for job in stalled:
        await worker.job_manager.retry_job(job)
    return len(stalled)
