"""Jobs of the audit: heads are signed, months made ahead, chains checked, a month let go."""

from __future__ import annotations

import logging
from contextlib import suppress

from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from zhiwan.city.people.auditing import retention, runs, signing
from zhiwan.kernel.facts.errors import CityError

log = logging.getLogger(__name__)
AGAIN = RetryStrategy(max_attempts=4, exponential_wait=5)


@app.periodic(cron="*/5 * * * *")
@app.task(name="zhiwan.audit.sign", queue=runs.QUEUE, lock="zhiwan.audit.sign")
def sign_heads(timestamp: int) -> None:
    """Every five minutes. What went wrong is kept for the pages; the next signature covers what this one did not."""
    try:
        signing.sign_heads(process="jobs", at=timezone.now())
    except CityError as problem:
        log.error("%s", problem)


@app.periodic(cron="7 * * * *")
@app.task(name="zhiwan.audit.months", queue=runs.QUEUE, retry=AGAIN)
def make_months(timestamp: int) -> None:
    """Once an hour, since the lock it needs is waited for only shortly."""
    retention.make_months(process="jobs", at=timezone.now())


@app.periodic(cron="40 18 * * *")  # UTC: the night of the legal zone (Asia/Shanghai)
@app.task(name="zhiwan.audit.nightly", queue=runs.QUEUE)
def check_nightly(timestamp: int) -> None:
    """All chains, every night; not beside a check that a person asked for."""
    with suppress(runs.RunUnderWay):
        runs.do_check(run_id=runs.begin_nightly_check(at=timezone.now()))


@app.task(name=runs.CHECK, queue=runs.QUEUE, retry=RetryStrategy(max_attempts=2, wait=10), lock=runs.CHECK)
def check(run_id: int) -> None:
    """The check that a person asked for."""
    runs.do_check(run_id=run_id)


@app.task(name=runs.RETIRE, queue=runs.QUEUE, retry=AGAIN, lock=runs.RETIRE)
def retire(run_id: int) -> None:
    """The month that a person lets go."""
    runs.do_retirement(run_id=run_id)
