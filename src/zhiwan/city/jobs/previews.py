"""The job that computes what past days would differ by (city/amendments/previewing.py)."""

from __future__ import annotations

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from zhiwan.city.amendments.actions import PREVIEW
from zhiwan.city.amendments.previewing import compute_preview
from zhiwan.city.packs_loaded import refresh
from zhiwan.city.people.acting import LIVE
from zhiwan.city.watch.follow_up import QUEUE


@app.task(name=PREVIEW, queue=QUEUE, retry=RetryStrategy(max_attempts=2, wait=5), lock=PREVIEW)
def preview(preview_id: int, space: str = LIVE) -> None:
    """One at a time, in no transaction of its own: the places beside it stay free for what alarms call for."""
    refresh()
    compute_preview(preview_id=preview_id)
