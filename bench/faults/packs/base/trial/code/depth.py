"""Depth above a fixed bed: the smallest derive step."""

from zhiwan.kernel.packs.door import pl


def depth(readings, parameters):
    return readings.select("entity", "observed_at", (pl.col("level") + 5).alias("depth"))
