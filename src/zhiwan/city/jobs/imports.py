"""The job that reads a file of history (asked for by city/watch/import_runs.py)."""

from __future__ import annotations

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from zhiwan.city.packs_loaded import refresh
from zhiwan.city.people.acting import LIVE
from zhiwan.city.watch.follow_up import QUEUE
from zhiwan.city.watch.import_runs import IMPORT_HISTORY, do_import


@app.task(name=IMPORT_HISTORY, queue=QUEUE, retry=RetryStrategy(max_attempts=2, wait=10), lock=IMPORT_HISTORY)
def import_history(run_id: str, space: str = LIVE) -> None:
    """One at a time: each reads a whole file and writes the lake, in no transaction of its own. Always live."""
    refresh()  # derive steps read parameters
    do_import(run_id=run_id)
