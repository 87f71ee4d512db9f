"""Observations as columns: the one shape that sense writes, judge reads and the lake keeps.

A value is a double. A boolean is 0 or 1; a choice is the index of its declared choices. Time is UTC with
microseconds. The identity of a reading is (entity, property, observed_at, source); a second row with the same
identity and another value is a correction, with a later recorded_at.
"""

from __future__ import annotations

from enum import IntFlag

import polars as pl

UTC_US = pl.Datetime("us", "UTC")

#: One row per reading. `seq` is the sequence of the stream message it came in (0 for imports): order of arrival.
OBSERVATION_SCHEMA: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "property": pl.String(),
    "observed_at": UTC_US,
    "value": pl.Float64(),
    "source": pl.String(),
    "recorded_at": UTC_US,
    "quality": pl.Int32(),
    "seq": pl.Int64(),
}

IDENTITY = ["entity", "property", "observed_at", "source"]


class Quality(IntFlag):
    """Flags on a kept reading; 0 is good. Reasons for values that are *not* kept are set-aside codes instead."""

    GOOD = 0
    RANGE = 1  # outside the declared physical range
    FROZEN = 2  # the same value for longer than the type declares plausible
    GAP = 4  # first value after a gap of more than three cadences
    SKEW = 8  # the device's clock differs from receipt by more than the type declares
    LATE = 16  # older than a value already seen of the same property
    CORRECTION = 32  # replaces an earlier value of the same identity


def empty_observations() -> pl.DataFrame:
    """A frame without rows that has the schema of observations."""
    return pl.DataFrame(schema=OBSERVATION_SCHEMA)
