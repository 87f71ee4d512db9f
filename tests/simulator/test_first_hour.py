"""The first hour of the demonstration, judged by the real rules: alive from the start, and never a flood of alarms."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from zhiwan.city.registry.fields import value_to_judge
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA, UTC_US
from zhiwan.kernel.judge import AlarmEvent, JudgeState, RuleBook, judge, tick
from zhiwan.kernel.judge import World as JudgeWorld
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import load_place
from zhiwan.run.simulator.fleet import SimDevice, build_fleet
from zhiwan.run.simulator.models import World

ROOT = Path(__file__).resolve().parents[2]
BEGAN = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_believable_first_hour() -> None:
    packs, place = load_packs([ROOT / "packs"]), load_place(ROOT / "places/jinshan")
    fleet = build_fleet(packs, place)
    world = World(fleet, place, began=BEGAN)
    events = play(packs, fleet, world, region=place.code, zone=ZoneInfo(place.place.zone))
    opened = [event for event in events if event.kind == "opened"]
    early = [event for event in opened if event.at <= BEGAN + timedelta(minutes=5)]
    rules = Counter(event.rule for event in opened)
    assert 2 <= len(early) <= 8
    assert 6 <= len(opened) <= 40
    # What is staged: an underpass, a river, a gate left open, a coming storm that proposes a warning, dust, a fire.
    assert {
        "governance.flood.underpass_flooded",
        "governance.flood.river_above_warning",
        "governance.flood.gate_open_backflow",
        "governance.flood.rainstorm",
        "life.air.dust_exceed",
        "life.air.micro_hotspot",
        "base.lamps.leaking",
        "base.lamps.burning_by_day",
        "base.lamps.permit_ended",
    } <= rules.keys()


def play(packs: PackSet, fleet: list[SimDevice], world: World, *, region: str, zone: tzinfo) -> list[AlarmEvent]:
    """An hour of all sound devices through the judge, five minutes a batch."""
    rows = _observations([device for device in fleet if device.fault is None], world)
    links = [(device.id, link, other) for device in fleet for link, other in device.links.items()]
    judged = JudgeWorld(
        entities=_entities(packs, fleet, zone),
        parameters=packs.parameters,
        links=pl.DataFrame(links, schema=["from_id", "link", "to_id"], orient="row"),
        region=region,
    )
    book, state, step = RuleBook.compile(packs), JudgeState(), timedelta(minutes=5)
    events: list[AlarmEvent] = []
    for number in range(HOUR // step):
        start = BEGAN + number * step
        batch = rows.filter(pl.col("observed_at").is_between(start, start + step, closed="left"))
        events += judge(book, judged, state, batch, start + step).events
        events += tick(book, judged, state, start + step).events
    return events


def _observations(devices: list[SimDevice], world: World) -> pl.DataFrame:
    frames = []
    for device in devices:
        every = device.every.total_seconds()
        times = BEGAN.timestamp() + (device.number * 0.618 % 1 + np.arange(HOUR / device.every)) * every
        for name, column in world.series(device, times, device.every).items():
            frames.append(pl.DataFrame({"observed_at": (times * 1e6).astype(np.int64), "value": column}).with_columns(
                entity=pl.lit(device.id), property=pl.lit(name)
            ))  # fmt: skip
    return (
        pl.concat(frames)
        .with_columns(
            pl.col("observed_at").cast(UTC_US),
            recorded_at=pl.col("observed_at").cast(UTC_US),
            source=pl.lit("test"),
            quality=pl.lit(0, dtype=pl.Int32),
        )
        .sort("observed_at", "entity", "property")
        .with_row_index("seq")
        .select(list(OBSERVATION_SCHEMA))
        .cast(dict(OBSERVATION_SCHEMA))
    )


def _entities(packs: PackSet, fleet: list[SimDevice], zone: tzinfo) -> dict[str, pl.DataFrame]:
    by_type: dict[str, list[dict[str, object]]] = {}
    for device in fleet:
        declared = packs.type(device.type).fields
        fields = {name: value_to_judge(one, device.fields.get(name), zone) for name, one in declared.items()}
        place = {"id": device.id, "name": device.name, "town": device.town, "area": device.area}
        by_type.setdefault(device.type, []).append(place | {"lon": device.lon, "lat": device.lat} | fields)
    kinds: dict[str, pl.DataType] = {"number": pl.Float64(), "boolean": pl.Boolean(), "date": UTC_US}
    return {
        name: pl.DataFrame(
            rows,
            infer_schema_length=None,
            schema_overrides={
                field: kinds.get(declared.type, pl.String()) for field, declared in packs.type(name).fields.items()
            },
        )
        for name, rows in by_type.items()
    }
