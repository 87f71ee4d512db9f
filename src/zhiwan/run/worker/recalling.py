"""Rules that look back further than what was remembered for them: the missing readings come from the lake."""

from __future__ import annotations

import logging
from datetime import datetime

import polars as pl

from zhiwan.kernel.facts.observations import Quality
from zhiwan.kernel.judge import JudgeState
from zhiwan.kernel.lake.port import LakePort
from zhiwan.run.worker.brain import Brain

log = logging.getLogger(__name__)


def recall(judging: JudgeState, brain: Brain, lake: LakePort, now: datetime) -> int:
    """After a brain was made: how many readings came back. Imported history was never judged and stays out.

    Without it a rule whose window was lengthened from 1 h to 6 h would see five hours of nothing until they pass.
    """
    judging.bind(brain.book, brain.world)
    short = {group: span for group, span in judging.short().items() if group[0] in brain.world.entities}
    if not short:
        return 0
    pairs = [
        brain.world.entities[kind].select(pl.col("id").alias("entity"), property=pl.lit(name)) for kind, name in short
    ]
    try:
        rows = lake.current(pl.concat(pairs), now - max(short.values()), now)
    except Exception:
        # Judging must go on; the next start looks again.
        log.exception("readings for longer windows were not recalled")
        return 0
    good = (pl.col("quality") & int(Quality.RANGE) == 0) & pl.col("value").is_finite() & (pl.col("seq") > 0)
    rows = rows.filter(good)
    for group, span in short.items():
        judging.recall(group, rows.filter((pl.col("property") == group[1]) & (pl.col("observed_at") >= now - span)))
    return rows.height
