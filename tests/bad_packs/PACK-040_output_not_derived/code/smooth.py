"""A derive step."""

import polars as pl

from zhiwan.kernel.packs.door import Parameters


def smooth(readings: pl.DataFrame, parameters: Parameters) -> pl.DataFrame:
    """The reading, as it is."""
    return readings.select("entity", "observed_at", smoothed="reading")
