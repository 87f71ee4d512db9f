"""Compaction and vacuum beside writers and readers: nobody may see a row too few, a row twice, or an error."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import httpx

from bench.faults.fault import Fault, Options
from bench.faults.stage import Stage
from zhiwan.kernel.lake import Lake

LASTS = 30.0
#: Longer than any question of ours takes: files that left the table before are in nobody's hands.
READERS_DONE = 6.0


def _upkeep(stage: Stage, options: Options) -> str:
    lake = Lake(stage.data / "lake")
    stop = threading.Event()
    asked, problems, compactions, removed = [0], list[str](), 0, 0
    began = datetime.now(UTC) - timedelta(hours=6)

    def read(gauge: str, prop: str, api: bool) -> None:
        own, had = Lake(stage.data / "lake"), 0
        while not stop.is_set():
            try:
                end = datetime.now(UTC) + timedelta(hours=1)
                if api:
                    with stage.product.api() as client:
                        answer = client.get(
                            f"/entities/{gauge}/history",
                            params={"property": prop, "from": began.isoformat(), "to": end.isoformat()},
                        )
                        rows = len(answer.raise_for_status().json()["points"])
                else:
                    found = own.rows(gauge, prop, began, end)
                    rows = found.height
                    if found["observed_at"].n_unique() != rows:
                        problems.append(f"{gauge}.{prop}: a reading twice")
                if rows < had:
                    problems.append(f"{gauge}.{prop}: {rows} rows after {had}")
                had = rows
                asked[0] += 1
            except (httpx.HTTPError, OSError, Exception) as problem:
                problems.append(f"{type(problem).__name__}: {problem}"[:200])
                time.sleep(0.5)
            time.sleep(0.05)

    readers = [
        threading.Thread(target=read, args=(f"gauge{n}", prop, api), daemon=True)
        for n, (prop, api) in enumerate([("level", False), ("depth", False), ("level", True), ("battery", True)])
    ]
    for reader in readers:
        reader.start()
    end = time.monotonic() + LASTS
    while time.monotonic() < end:
        lake.compact()
        lake.roll_up()
        compactions += 1
        time.sleep(READERS_DONE)
        removed += lake.vacuum(timedelta(0))
    stop.set()
    for reader in readers:
        reader.join(30)
    if problems:
        raise AssertionError(f"{len(problems)} of {asked[0]} questions: {problems[0]}")
    return f"{compactions} compactions and vacuums ({removed} files removed) beside {asked[0]} questions of 4 readers"


FAULTS = [Fault("upkeep", "compaction and vacuum beside readers", _upkeep)]
