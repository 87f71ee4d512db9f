"""The worker's way of a batch without broker and devices: decode, 200 rules, commit in PostgreSQL, append to the lake.

    .venv/bin/python -m bench.worker [--devices 5000] [--messages 6250] [--batches 40] [--rules 200] [--readings 1]

A real PostgreSQL and a real lake in a temporary folder; messages are made before the clock starts and handed over as
the broker's reader would. `--messages` is the size of a batch: what a quarter of a second brings. CPU seconds are those
of this process (all threads) and of the database; nothing here waits for a clock, so they say what the loop can be fed.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.measure import Result, Used, arguments, usage
from bench.register import PROBE_ABOVE, PROBE_CLEAR, SENDS
from bench.rules import make_rules, probe, watched_of, write_pack
from zhiwan.kernel.bus.messages import INTAKE, MQTT, Message

#: Of one step of the made time.
STEP = timedelta(milliseconds=250)


class Feed:
    """A bus whose stream is what we hand over; passes for bus and reader."""

    def __init__(self, batches: Sequence[list[Message]]) -> None:
        self.created = datetime(2026, 1, 1, tzinfo=UTC)
        self.stream = MQTT.name
        self._batches = list(reversed(batches))

    def open_reader(self, stream: str, name: str = "worker") -> Any:
        return self if stream == MQTT.name else Feed([])

    def pull(self, most: int, wait: float) -> list[Message]:
        return self._batches.pop() if self._batches else []

    def ack(self, upto: int) -> None:
        pass

    def rewind(self) -> None:
        pass

    def waiting(self) -> int:
        return 0


def payload(chance: random.Random, at: int, words: Sequence[str]) -> str:
    """One reading as the fleet's generator writes it."""
    values = []
    for word in words:
        if "=" in word:
            values.append(f'"{word.split("=")[0]}":{chance.randint(0, 1)}')
        else:
            name, low, high = word.split(":")
            values.append(f'"{name}":{chance.uniform(float(low), float(high)):.2f}')
    return f'{{"at":{at},"values":{{{",".join(values)}}}}}'


def make_batches(devices: int, size: int, count: int, readings: int, now: datetime) -> list[list[Message]]:
    """`count` batches of `size` messages, devices taking turns, each batch a quarter of a second after the other."""
    chance = random.Random(1)
    kinds = list(SENDS.values())
    seq, batches = 0, []
    for number in range(count):
        received = now - STEP * (count - number)
        began = int((received - STEP).timestamp() * 1000)
        batch = []
        for place in range(size):
            seq += 1
            at = began + place * 250 // size
            device = seq % devices
            rows = [payload(chance, at - 10 * n, kinds[device % 2]) for n in reversed(range(readings))]
            body = rows[0] if readings == 1 else f"[{','.join(rows)}]"
            batch.append(Message(MQTT.name, seq, f"$MQTT.msgs.devices.b{device}.telemetry", body.encode(), received))
        batches.append(batch)
    return batches


def prepare_city(devices: int) -> None:
    """Schema, place and fleet, as bin/up and an import would make them."""
    from bench.register import register_fleet
    from zhiwan.run import prepare

    prepare.migrate(verbosity=0)
    prepare.load_place()
    register_fleet(devices, probes=0)


def used(pid: int) -> dict[str, Used]:
    return usage(os.getpid(), lambda command: "postgres" if "postgres" in command.split(" ", 1)[0] else None)


def run(options: Any, result: Result) -> None:
    from zhiwan.city.packs_loaded import book, lake, packs, region
    from zhiwan.run.worker.brain import make_brain
    from zhiwan.run.worker.lake_follower import LakeFollower
    from zhiwan.run.worker.pipeline import Pipeline
    from zhiwan.run.worker.store import PostgresStore, read_registry

    batches = make_batches(options.devices, options.messages, options.batches, options.readings, datetime.now(UTC))
    messages = sum(len(batch) for batch in batches)
    points = messages * 3 * options.readings
    follower = LakeFollower(lake())
    streams = (MQTT.name, INTAKE.name)
    brain = make_brain(packs(), book(), read_registry(), region(), lake().seen)
    pipeline = Pipeline(
        bus=Feed(batches), store=PostgresStore(streams), follower=follower, brain=brain, streams=streams,  # type: ignore[arg-type]
    )  # fmt: skip
    pipeline.step(MQTT.name, 20_000, 0, lambda: datetime.now(UTC))  # warms up
    follower.start()
    before, began, cpu = used(os.getpid()), time.perf_counter(), time.process_time()
    main_thread = time.thread_time()
    took = []
    while True:
        step = time.perf_counter()
        if not pipeline.step(MQTT.name, 20_000, 0, lambda: datetime.now(UTC)):
            break
        took.append(time.perf_counter() - step)
    seconds, main_thread = time.perf_counter() - began, time.thread_time() - main_thread
    import sys

    sys.path.insert(0, "/tmp")
    import thr

    T = thr.threads()
    print(follower._thread.native_id, sorted(((v[1], k, v[0]) for k, v in T.items()), reverse=True)[:12])
    follower.stop(60)
    cpu = time.process_time() - cpu
    after = used(os.getpid())
    counted = points - points // options.batches
    database = after["postgres"].cpu - before["postgres"].cpu
    ordered = sorted(took)
    result.add(
        f"{options.messages:,} messages a batch, {options.readings} reading(s) a message",
        points=counted,
        points_per_second=counted / seconds,
        ms_per_batch_median=ordered[len(ordered) // 2] * 1000,
        ms_per_batch_worst=ordered[-1] * 1000,
        worker_cpu_per_million=cpu / counted * 1e6,
        of_it_main_thread=main_thread / counted * 1e6,
        database_cpu_per_million=database / counted * 1e6,
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--devices", type=int, default=5000)
    parser.add_argument("--messages", type=int, default=6250)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--readings", type=int, default=1)
    options = parser.parse_args()
    result = Result(
        "worker" if options.readings == 1 else "worker_batching",
        "The worker's pipeline alone",
        data=f"{options.devices:,} devices of two types, the shipped packs and {options.rules} rules over what is sent",
        load=f"{options.batches} batches back to back; real PostgreSQL and lake, no broker",
    )
    with tempfile.TemporaryDirectory(prefix="zw-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        rules = [*make_rules(options.rules - 1, watched_of(SENDS, PROBE_ABOVE), "2s"),
                 probe("PumpStation.power", PROBE_ABOVE, PROBE_CLEAR)]  # fmt: skip
        os.environ["ZHIWAN_PACKS"] = str(write_pack(folder / "packs", rules))
        os.environ["ZHIWAN_DATA"] = str(folder / "data")
        os.environ["ZHIWAN_PLACE"] = str(Path(__file__).parents[1] / "places" / "jinshan")
        from zhiwan.run.embedded.postgres import EmbeddedPostgres

        database = EmbeddedPostgres(folder / "data")
        urls = database.start()
        try:
            os.environ["ZHIWAN_DATABASE_URL"], os.environ["ZHIWAN_OWNER_DATABASE_URL"] = urls.login, urls.owner
            os.environ["DJANGO_SETTINGS_MODULE"] = "zhiwan.city.settings"
            import django

            django.setup()
            prepare_city(options.devices)
            run(options, result)
        finally:
            database.stop()
    result.write(options.results)


if __name__ == "__main__":
    main()
