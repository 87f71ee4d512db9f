"""Lake rows on their way: written in the transaction that judged them, deleted after the lake has them.

Intake and judge remember (duplicates, rule states), so a batch cannot be judged a second time for the lake alone: it
would find its own readings already seen. Therefore the rows themselves are kept with the state until the lake has
committed them under (stream, sequence); a second delivery to the lake is dropped there by that number.

They serve a second time: what follows from readings alone (newest values, series) is saved about once a second only, a
*checkpoint*. A restart takes the last one and remembers the parcels after it again, so they stay until one covers them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA

KIND = "outbox"
#: State row that says up to which commit the other state rows reach.
CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Parcel:
    """Rows of one commit. `app` names the stream and its time of making, `seq` its last message."""

    number: int  # of the commit, counted over all streams
    app: str
    seq: int
    frame: pl.DataFrame

    @property
    def key(self) -> str:
        """Sorts in the order of the commits."""
        return f"{self.number:020d}|{self.app}#{self.seq:020d}"

    def packed(self) -> bytes:
        """The rows as compressed Arrow."""
        file = io.BytesIO()
        self.frame.write_ipc(file, compression="zstd")
        return file.getvalue()


def app_name(stream: str, created: str) -> str:
    """Under which name the lake counts what it has of a stream."""
    return f"{stream}@{created}"


def unpack(key: str, body: bytes) -> Parcel:
    """A parcel as it was packed."""
    number, _, rest = key.partition("|")
    app, _, seq = rest.rpartition("#")
    return Parcel(int(number), app, int(seq), pl.read_ipc(io.BytesIO(body)))


def lake_rows(*frames: pl.DataFrame) -> pl.DataFrame:
    """What the lake gets of a batch: observations and what was derived of them, in the lake's columns."""
    return pl.concat([frame.select(list(OBSERVATION_SCHEMA)) for frame in frames])
