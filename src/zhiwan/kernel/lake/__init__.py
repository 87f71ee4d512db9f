"""The lake keeps every observation for good: raw rows, hourly and daily roll-ups, the history of indicators.

`Lake` keeps Delta tables in a folder, `MemoryLake` is its twin for tests and replays; both pass tests/contract.

What holds in both:
- A row has an identity (entity, property, observed_at, source). A correction is another row of the same identity with
  a later recorded_at; readers see the latest, or with `as_of` the latest that was recorded until then.
- `append` is idempotent by (app, version): what is at or below the version last committed is dropped.
- A value flagged RANGE is kept in the raw rows but takes part in no aggregate and no roll-up, and so does a null value;
  if the latest row of an identity is flagged, an earlier one does not step in for it.
- Roll-ups equal the raw rows at all times: readers compute on the fly what the last `roll_up` has not seen yet.

Read next: port.py (what may be asked), delta.py (how the folder answers), rollups.py (why they stay equal).
"""

from zhiwan.kernel.lake.delta import Lake
from zhiwan.kernel.lake.memory import MemoryLake
from zhiwan.kernel.lake.port import Aggregate, LakePort
from zhiwan.kernel.lake.shapes import HISTORY_SCHEMA, INDICATOR_SCHEMA, ROLLUP_SCHEMA, LakeBusy, RowsRefused

__all__ = [
    "HISTORY_SCHEMA",
    "INDICATOR_SCHEMA",
    "ROLLUP_SCHEMA",
    "Aggregate",
    "Lake",
    "LakeBusy",
    "LakePort",
    "MemoryLake",
    "RowsRefused",
]
